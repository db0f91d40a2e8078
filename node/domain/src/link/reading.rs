//! Readings beside the lanes: a question to the origin of a package, and its sealed answer in pieces. Neither is ever
//! durable; with the session all of it is gone. At most one reading is under way in each direction.

use std::fmt;

use crate::{
    handover::Question,
    ids::EnvelopeId,
    limits::{PACKAGE_BYTES_MAX, SEAL_BYTES_MAX},
    refusal::{Code, Refusal},
    time::Time,
};

use super::{Frame, Session};

/// A sealed answer at the most.
const ANSWER_BYTES_MAX: usize = PACKAGE_BYTES_MAX + SEAL_BYTES_MAX;

/// A part of the answer to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The question.
    pub id: EnvelopeId,
    /// The part.
    pub part: Part,
}

/// What a part of an answer is.
#[derive(Clone, PartialEq, Eq)]
pub enum Part {
    /// Consecutive sealed bytes.
    Piece {
        /// How many there are altogether.
        total: u64,
        /// Where these begin.
        offset: u64,
        /// The bytes.
        content: Vec<u8>,
    },
    /// There is no answer, or no more of it.
    Refused(Code),
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Piece { total, offset, .. } => write!(f, "Piece({offset} of {total})"),
            Self::Refused(code) => write!(f, "Refused({code})"),
        }
    }
}

/// What has come of a question: sealed bytes, or the code of a refusal.
pub(super) type Answered = (EnvelopeId, Result<Vec<u8>, Code>);

/// What we asked, and what has come of the answer.
struct Asked {
    id: EnvelopeId,
    total: Option<u64>,
    received: Vec<u8>,
}

/// What we were asked; the sealed answer once there is one.
struct Answering {
    id: EnvelopeId,
    sealed: Vec<u8>,
    offset: usize,
}

/// The readings of one session.
#[derive(Default)]
pub(super) struct Readings {
    /// Whether the peer's Hello said that it answers.
    pub(super) peer_answers: bool,
    question: Option<Question>,
    asked: Option<Asked>,
    answering: Option<Answering>,
    refused: Option<Answer>,
}

impl Readings {
    /// Whether an answer is awaited.
    pub(super) fn is_asking(&self) -> bool {
        self.asked.is_some()
    }

    pub(super) fn ask(&mut self, question: Question) -> Result<(), Refusal> {
        if !self.peer_answers {
            return Err(Refusal::new(
                Code::UnsupportedVersion,
                "the peer's node does not answer readings at the origin",
            ));
        }
        question.check()?;
        // What is still awaited of an earlier question has been given up by whoever asked it.
        self.asked = Some(Asked { id: question.id, total: None, received: Vec::new() });
        self.question = Some(question);
        Ok(())
    }

    pub(super) fn next_question(&mut self) -> Option<Question> {
        self.question.take()
    }

    /// Takes a question, unless another one is still being answered: then that is said.
    pub(super) fn on_question(&mut self, question: Question) -> Option<Question> {
        if self.answering.is_some() {
            self.refused = Some(Answer { id: question.id, part: Part::Refused(Code::Busy) });
            return None;
        }
        self.answering = Some(Answering { id: question.id, sealed: Vec::new(), offset: 0 });
        Some(question)
    }

    pub(super) fn answer(&mut self, id: EnvelopeId, outcome: Result<Vec<u8>, Code>) {
        let Some(answering) = self.answering.as_mut().filter(|answering| answering.id == id) else { return };
        match outcome {
            Ok(sealed) if !sealed.is_empty() => answering.sealed = sealed,
            Ok(_) => self.refuse(id, Code::PackageAbsent),
            Err(code) => self.refuse(id, code),
        }
    }

    fn refuse(&mut self, id: EnvelopeId, code: Code) {
        self.answering = None;
        self.refused = Some(Answer { id, part: Part::Refused(code) });
    }

    /// The question that is being answered.
    pub(super) fn answering(&self) -> Option<EnvelopeId> {
        self.answering.as_ref().map(|answering| answering.id)
    }

    /// A refusal that is to be told.
    pub(super) fn next_refusal(&mut self) -> Option<Answer> {
        self.refused.take()
    }

    /// The next piece of the answer, of at most `allowance` bytes.
    pub(super) fn next_piece(&mut self, allowance: u64) -> Option<Answer> {
        let answering = self.answering.as_mut().filter(|answering| !answering.sealed.is_empty())?;
        let rest = answering.sealed.get(answering.offset..).unwrap_or_default();
        let taken = rest.len().min(usize::try_from(allowance).unwrap_or(usize::MAX));
        let content = rest.get(..taken).unwrap_or_default().to_vec();
        let (total, offset) = (answering.sealed.len() as u64, answering.offset as u64);
        let answer = Answer { id: answering.id, part: Part::Piece { total, offset, content } };
        answering.offset += taken;
        if answering.offset == answering.sealed.len() {
            self.answering = None;
        }
        Some(answer)
    }

    /// Takes a part of an answer; the whole once it is there. One that nobody waits for any more is dropped.
    pub(super) fn on_answer(&mut self, answer: Answer) -> Result<Option<Answered>, Refusal> {
        let Some(asked) = self.asked.as_mut().filter(|asked| asked.id == answer.id) else { return Ok(None) };
        let id = asked.id;
        let outcome = match answer.part {
            Part::Refused(code) => Err(code),
            Part::Piece { total, offset, content } => {
                let joins = asked.total.is_none_or(|before| before == total)
                    && offset == asked.received.len() as u64
                    && !content.is_empty()
                    && total <= ANSWER_BYTES_MAX as u64
                    && content.len() as u64 <= total.saturating_sub(offset);
                if !joins {
                    return Err(Refusal::new(Code::BadFrame, "a piece of an answer that does not join the one before"));
                }
                asked.total = Some(total);
                asked.received.extend_from_slice(&content);
                if (asked.received.len() as u64) < total {
                    return Ok(None);
                }
                Ok(std::mem::take(&mut asked.received))
            }
        };
        self.asked = None;
        Ok(Some((id, outcome)))
    }
}

impl Session {
    pub(super) fn next_of_answer(&mut self, allowance: u64, now: Time) -> Option<Frame> {
        let answer = self.readings.next_piece(allowance)?;
        if let Part::Piece { content, .. } = &answer.part {
            self.pace.on_sent(content.len() as u64, now);
        }
        Some(Frame::Answer(answer))
    }

    /// Asks the peer for a reading of what it holds. A question that is still open is given up: what comes of its
    /// answer is dropped.
    ///
    /// # Errors
    /// `unsupported_version` when the peer does not answer readings; `malformed`.
    pub fn ask(&mut self, question: Question) -> Result<(), Refusal> {
        self.readings.ask(question)
    }

    /// Answers the peer's question with sealed bytes, or refuses it, also when a part of the answer was sent before.
    pub fn answer(&mut self, id: EnvelopeId, outcome: Result<Vec<u8>, Code>) {
        self.readings.answer(id, outcome);
    }

    /// The question that is being answered, until the last piece of its answer is sent.
    #[must_use]
    pub fn answering(&self) -> Option<EnvelopeId> {
        self.readings.answering()
    }
}
