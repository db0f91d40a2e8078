//! Every cap of the system, on one page, each with its reason. Units are in the names.

/// A signed envelope with its body, without its attachment. Real CAP alerts reach 1.7 MB.
pub const ENVELOPE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// A sealed case package with its attachments: a clinical letter and a few photos of documents.
pub const PACKAGE_BYTES_MAX: usize = 5 * 1024 * 1024;
/// What sealing adds to a package: the key encapsulation, a tag, and room for a next suite.
pub const SEAL_BYTES_MAX: usize = 4 * 1024;
/// Relatives, concerns, services received or letters, of each in one package.
pub const PACKAGE_LIST_MAX: usize = 16;
/// An answer, a release or a step of a handover: codes, and one note.
pub const HANDOVER_MESSAGE_BYTES_MAX: usize = 4 * 1024;
/// What an offer says before acceptance: coded and non-identifying, so it is small.
pub const OFFER_SUMMARY_BYTES_MAX: usize = 4 * 1024;
/// Peers of one node: every National Society of the world, and a few.
pub const PEERS_MAX: usize = 200;
/// Societies that one envelope names as recipients: no more than there can be peers.
pub const RECIPIENTS_MAX: usize = PEERS_MAX;
/// One frame of the link, so that an urgent envelope waits for one frame at most.
pub const FRAME_BYTES_MAX: usize = 16 * 1024;
/// One gRPC message of the operator interface: a package, its framing, and some room.
pub const OPERATOR_MESSAGE_BYTES_MAX: usize = PACKAGE_BYTES_MAX + ENVELOPE_BYTES_MAX;
/// A value of the store: larger leaves leave sled's own log and are then not synced.
pub const STORE_VALUE_BYTES_MAX: usize = 16 * 1024;
/// A key of the store.
pub const STORE_KEY_BYTES_MAX: usize = 256;
/// Free text that a person types into a handover: short, because it is linted and read under stress.
pub const FREE_TEXT_CHARS_MAX: usize = 280;
/// A headline of an alert (CAP 1.2 recommends about 160).
pub const HEADLINE_CHARS_MAX: usize = 160;
/// Description or instruction of an alert, in one language.
pub const TEXT_CHARS_MAX: usize = 20_000;
/// Languages of one alert.
pub const TEXTS_MAX: usize = 20;
/// Polygons of one alert: the largest real one has 212.
pub const POLYGONS_MAX: usize = 500;
/// Points of all shapes of one alert: the largest real one has 93,040.
pub const POINTS_MAX: usize = 100_000;
/// Places of one alert.
pub const PLACES_MAX: usize = 64;
/// Earlier messages that one alert refers to.
pub const REFERENCES_MAX: usize = 64;
/// Name of a place of an alert, in characters: a place, not a story.
pub const PLACE_NAME_CHARS_MAX: usize = 120;
/// The CBOR of an alert, so that its envelope's head and signature find room beside it.
pub const ALERT_BYTES_MAX: usize = ENVELOPE_BYTES_MAX - 32 * 1024;
/// The exact bytes of an imported document, so that the alert's own fields find room beside them.
pub const ORIGINAL_BYTES_MAX: usize = ALERT_BYTES_MAX - 96 * 1024;
/// Any number of people of an alert: more than any one event has moved.
pub const PEOPLE_MAX: u32 = 1_000_000;
/// Parts of a route segment: way, countries, place, and one to spare.
pub const SEGMENT_PARTS_MAX: usize = 4;
/// Largest CAP document that is checked; larger ones than [`ORIGINAL_BYTES_MAX`] are checked, but not imported.
pub const CAP_CHECK_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How deep the elements of an imported document may nest; CAP itself needs four.
pub const XML_DEPTH_MAX: usize = 32;
/// Elements of an imported document, so that a small file cannot grow into a large tree.
pub const XML_ELEMENTS_MAX: usize = 50_000;
/// Messages in the public feed: beyond this, the oldest are left out, and their readers have long had them.
pub const FEED_ENTRIES_MAX: usize = 500;
/// What the public feed quotes of a description, in characters: the document holds the rest.
pub const FEED_SUMMARY_CHARS_MAX: usize = 280;
/// Feeds of warnings that one node polls: the met services and civil protections of its neighbours, and a few more.
pub const CAP_SOURCES_MAX: usize = 64;
/// Entries of one polled feed that are read: the newest ones stand first.
pub const POLLED_ENTRIES_MAX: usize = 1_000;
/// Documents fetched in one poll; the rest follow in the next ones.
pub const POLLED_FETCHES_MAX: usize = 50;
/// Open drafts from one feed: beyond this, nobody has looked at them for long, and no more are taken.
pub const POLLED_DRAFTS_MAX: usize = 200;
/// Envelopes of one lane by which a peer may be ahead of what we know to have sent it, since our store was put back to an
/// earlier state: more than any pair of Societies exchanges between two backups.
pub const LANE_AHEAD_MAX: u64 = 1 << 24;
/// An address on the web.
pub const URL_BYTES_MAX: usize = 1024;
/// Faults of one imported document that are told; beyond this, nobody reads on.
pub const FAULTS_MAX: usize = 100;
/// How long an update whose earlier alert has not arrived waits for it before it is shown.
pub const ORPHAN_WAIT_SECONDS: u64 = 600;
/// Updates of one alert that are remembered as such: two are a conflict already, more are a fault of the origin.
pub const UPDATES_MAX: usize = 64;
/// Updates of an alert that is not here yet, of each Society, so that the row of all their claims stays one value.
pub const CLAIMED_UPDATES_MAX: usize = 8;
/// Societies whose word is remembered of an alert that is not here yet.
pub const CLAIMS_MAX: usize = 64;
/// How long a human has to acknowledge an alert that asks for it and does not say by when.
pub const ANSWER_SECONDS_DEFAULT: u64 = 1_800;
/// Posts of the duty list: who is not found among so many is not found by one more.
pub const DUTY_POSTS_MAX: usize = 16;
/// Words of the command that calls a post on duty.
pub const HOOK_WORDS_MAX: usize = 32;
/// How long the command that calls a post on duty may run.
pub const HOOK_SECONDS_MAX: u64 = 30;
/// Calls of posts on duty an hour; beyond, the steps are written down and nobody is called.
pub const HOOKS_AN_HOUR_MAX: u32 = 60;
/// The fewest handovers that a cell of an aggregate report may count: fewer could be recognised.
pub const REPORT_CELL_MIN: u64 = 5;
/// Cells of one aggregate report, so that its entry stays one value of the store.
pub const REPORT_CELLS_MAX: usize = 200;
/// Persons who approve an aggregate report, each of them another than who proposed it.
pub const REPORT_APPROVALS: usize = 2;
/// Entries of any other list of an alert: needs, arrivals, nationalities, languages.
pub const LIST_MAX: usize = 64;
/// Services asked for in one handover.
pub const SERVICES_MAX: usize = 16;
/// People of one group that is handed over together: one command decides for all of them at once.
pub const GROUP_MEMBERS_MAX: usize = 32;
/// Purposes, recipients, exclusions or events of one consent record.
pub const CONSENT_LIST_MAX: usize = 128;
/// The CBOR of one consent record: it stands in one value of the store, with room for its framing.
pub const CONSENT_BYTES_MAX: usize = 12 * 1024;
/// One event in the life of a consent record, or a message about one.
pub const CONSENT_EVENT_BYTES_MAX: usize = 4 * 1024;
/// Events known of one consent record beside those in it, so that the row of what rests on it stays one value.
pub const CONSENT_EVENTS_MAX: usize = 48;
/// Recipients that may be taken back of one consent record, all events together.
pub const SCOPE_RECIPIENTS_MAX: usize = 16;
/// Handovers that rest on one consent record.
pub const HANDOVERS_A_CONSENT_MAX: usize = 32;
/// Handovers of one case.
pub const HANDOVERS_A_CASE_MAX: usize = 128;
/// Consent records of one case.
pub const CONSENTS_A_CASE_MAX: usize = 64;
/// Versions of one consent record: a new one for each new notice, recipient or assessment.
pub const CONSENT_VERSIONS_MAX: usize = 64;
/// Pieces of evidence of one consent record.
pub const EVIDENCE_PIECES_MAX: usize = 8;
/// Requests of the person that are remembered with one case; all are remembered by themselves.
pub const REQUESTS_A_CASE_MAX: usize = 32;
/// Messages about one request of a person whose text a rule of retention takes.
pub const REQUEST_MESSAGES_MAX: usize = 256;
/// A withdrawal that a holder has not answered in this time is an alarm.
pub const WITHDRAWAL_ANSWER_SECONDS_MAX: u64 = 24 * 3_600;
/// A withdrawal that a holder has not followed by erasure in this time is an alarm.
pub const ERASURE_SECONDS_MAX: u64 = 30 * 24 * 3_600;
/// Readings an hour that a peer may ask of one origin: a busy team reads tens of cases a day.
pub const READINGS_AN_HOUR_MAX: u32 = 120;
/// How long a reading at the origin may take, to the last piece of its answer.
pub const READING_SECONDS_MAX: u64 = 120;
/// How long holders have to answer a request of a person.
pub const REQUEST_DUE_SECONDS: u64 = 30 * 24 * 3_600;
/// Wrong answers to a check question, after which none is taken for a day.
pub const CHECK_WRONG_MAX: u32 = 3;
/// How long no answer is taken then.
pub const CHECK_LOCK_SECONDS: u64 = 24 * 3_600;
/// Readings of a package that its row remembers, and that are told to the person; the journal has all.
pub const READS_KEPT_MAX: usize = 32;
/// A message about a request of a person: codes, and a few dozen readings; the node's own row of it is one value.
pub const RIGHTS_MESSAGE_BYTES_MAX: usize = 12 * 1024;
/// What is to be put right of a package: a few fields, and no letters.
pub const CORRECTION_BYTES_MAX: usize = 32 * 1024;
/// Corrections of one package: what it said before each of them stays in the vault as long as the package does.
pub const CORRECTIONS_MAX: usize = 32;
/// Holders that one request goes to.
pub const REQUEST_HOLDERS_MAX: usize = 64;
/// A short code or name: of a team, a role, an operator, a route.
pub const NAME_BYTES_MAX: usize = 64;
/// The CBOR of one trust bundle.
pub const BUNDLE_BYTES_MAX: usize = 64 * 1024;
/// Roots, keys or addresses of each kind in one bundle.
pub const BUNDLE_LIST_MAX: usize = 8;
/// A handshake, from the connection to its last message; a satellite link needs 2.5 s.
pub const HANDSHAKE_SECONDS_MAX: u64 = 10;
/// Handshakes under way at once, before anybody has proved who they are.
pub const HANDSHAKES_MAX: usize = 64;
/// How far a peer's clock may run ahead of ours before its envelopes are refused.
pub const CLOCK_AHEAD_SECONDS_MAX: u64 = 600;
/// How long after its expiry an alert is still shown as active, for clocks that differ.
pub const EXPIRY_SKEW_SECONDS: u64 = 300;
/// Refusal entries that one peer or operator may cause an hour with one kind of request; the rest is counted, not written.
pub const REFUSALS_AN_HOUR_MAX: u32 = 360;
/// Commands that wait for the engine; one more is told `busy`.
pub const ENGINE_QUEUE_MAX: usize = 4_096;
/// Commands of one session that wait for the engine before its stream is read no further: four sessions fill the queue.
pub const UNDER_WAY_MAX: usize = ENGINE_QUEUE_MAX / 4;
/// Bytes for which one session's commands wait, likewise: two of the widest windows that a sender has in flight, so that a
/// fast line does not stop for each commit, and not as many envelopes as commands.
pub const UNDER_WAY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Entries that call for work on a case and wait for the task that does it; who falls further behind looks at all cases.
pub const CASE_WORK_WAITING_MAX: usize = 256;
/// Commands in one commit: beyond this, waiting costs more than a sync saves.
pub const BATCH_COMMANDS_MAX: usize = 256;
/// Rejections named in one cumulative receipt; the receiver splits receipts at this count.
pub const RECEIPT_REJECTIONS_MAX: usize = 64;
/// The code of one of them: three times the longest of this release, and all of a receipt take 4 KiB of an entry.
pub const REJECTION_CODE_BYTES_MAX: usize = 64;
/// Rows that one list request returns at most.
pub const LIST_PAGE_MAX: u32 = 1_000;
/// A configuration file: 200 peers with all their keys take about 60 KiB.
pub const CONFIG_BYTES_MAX: usize = 1024 * 1024;
