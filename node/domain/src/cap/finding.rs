//! What a check of a CAP document can find: one table of rules with stable codes, and the list of findings.
//! Messages name elements, rules and limits, never content.

use std::fmt;

use crate::{limits::FAULTS_MAX, refusal::Code};

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The document is no valid CAP 1.2: the OASIS schema or a mandatory requirement of the standard's section 3
    /// is broken, or the document cannot be read.
    Error,
    /// The document is valid, and yet something is likely to be wrong or to be lost on the way.
    Warning,
    /// Something to know; says nothing about validity.
    Note,
}

impl Severity {
    /// The name under which programs know it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

macro_rules! rules {
    ($($severity:ident { $($name:ident = $text:literal, $refusal:ident: $help:literal;)+ })+) => {
        /// A rule that a document can break, or a thing worth saying about it. Codes keep their names and meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Rule {
            $($(#[doc = $help] $name,)+)+
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &'static [Self] = &[$($(Self::$name,)+)+];

            /// Its stable code.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $($(Self::$name => $text,)+)+ }
            }

            /// How grave it is to break it.
            #[must_use]
            pub fn severity(self) -> Severity {
                match self { $($(Self::$name => Severity::$severity,)+)+ }
            }

            /// The rule in a sentence.
            #[must_use]
            pub fn sentence(self) -> &'static str {
                match self { $($(Self::$name => $help,)+)+ }
            }

            /// The code under which the import refuses a document that breaks it.
            pub(super) fn refusal(self) -> Code {
                match self { $($(Self::$name => Code::$refusal,)+)+ }
            }
        }
    };
}

rules! {
    Error {
        XmlMalformed = "cap.xml.malformed", MalformedFile: "the document is not well-formed XML";
        XmlEncoding = "cap.xml.encoding", MalformedFile: "bytes are not valid in the encoding of the document";
        XmlEncodingUnknown = "cap.xml.encoding_unknown", MalformedFile: "the declared encoding is not known, or not that of the bytes";
        XmlDoctype = "cap.xml.doctype", MalformedFile: "a document type definition is not accepted, and was not followed";
        XmlEntity = "cap.xml.entity", MalformedFile: "an entity that XML does not predefine is not accepted, and was not resolved";
        XmlDepth = "cap.xml.depth", MalformedFile: "elements nest too deep";
        XmlElements = "cap.xml.elements", MalformedFile: "there are too many elements";
        XmlSize = "cap.xml.size", TooLarge: "the document is too large to be read";
        SchemaOrder = "cap.schema.order", NotCap: "elements stand in the order of the schema";
        SchemaMissing = "cap.schema.missing", MissingField: "a required element is there";
        SchemaRepeated = "cap.schema.repeated", NotCap: "an element that may stand once stands once";
        SchemaUnknown = "cap.schema.unknown_element", NotCap: "CAP has no such element in this place";
        SchemaAttribute = "cap.schema.attribute", NotCap: "elements of CAP have no attributes";
        SchemaText = "cap.schema.text", NotCap: "text stands only in elements that hold text";
        SchemaChildren = "cap.schema.children", NotCap: "an element that holds text holds no elements";
        SchemaCode = "cap.schema.code", UnknownCode: "a coded value is one of the schema, without blanks around it";
        SchemaTime = "cap.schema.time", MalformedTime: "a time is written as 2026-11-24T06:30:00+00:00 and stands in the calendar";
        SchemaLanguage = "cap.schema.language", Malformed: "a language is a tag such as fr or fr-SN (RFC 3066)";
        SchemaUri = "cap.schema.uri", Malformed: "an address is a URI (RFC 3986)";
        SchemaInteger = "cap.schema.integer", Malformed: "a size is a whole number";
        SchemaDecimal = "cap.schema.decimal", Malformed: "a height is a decimal number without exponent";
        Name = "cap.name", Malformed: "an identifier or sender is there, without blanks, commas, < or & (CAP 1.2, 3.2.1)";
        TextBlank = "cap.text.blank", MissingField: "the event and the description of an area say something";
        ScopeRestriction = "cap.scope.restriction", Malformed: "a restriction stands only with the scope Restricted (CAP 1.2, 3.2.1)";
        ScopeAddresses = "cap.scope.addresses", MissingField: "a message of scope Private has addresses (CAP 1.2, 3.2.1)";
        ReferenceMissing = "cap.reference.missing", BadReference: "an Update, Cancel, Ack or Error refers to an earlier message";
        ReferenceForm = "cap.reference.form", BadReference: "a reference is sender,identifier,sent (CAP 1.2, 3.2.1)";
        ReferenceSelf = "cap.reference.self", BadReference: "a message does not refer to itself";
        ReferenceFuture = "cap.reference.future", BadReference: "a message does not refer to one that was sent later than itself";
        AreaPoint = "cap.area.point", BadPlace: "a point is latitude,longitude in degrees (WGS 84), latitude first";
        AreaPolygon = "cap.area.polygon", BadPlace: "a polygon has four points or more and ends where it begins (CAP 1.2, 3.2.4)";
        AreaCircle = "cap.area.circle", BadPlace: "a circle is latitude,longitude and a radius in kilometres (CAP 1.2, 3.2.4)";
        AreaCeilingAlone = "cap.area.ceiling_alone", BadPlace: "a ceiling stands only with an altitude (CAP 1.2, 3.2.4)";
        AreaCeilingBelow = "cap.area.ceiling_below", BadPlace: "a ceiling is not below the altitude";
    }
    Warning {
        EncodingConflict = "cap.xml.encoding_conflict", MalformedFile: "the byte order mark and the declared encoding agree";
        Empty = "cap.empty", Malformed: "an optional element that says nothing is left out";
        RestrictionMissing = "cap.scope.restriction_missing", MissingField: "a message of scope Restricted says what the restriction is";
        TimeOrder = "cap.time.order", BadTimes: "a message expires after it was sent, took effect and began";
        NoteExercise = "cap.note.exercise", MissingField: "an Exercise names the exercise in its note";
        NoteError = "cap.note.error", MissingField: "an Error gives its reason in its note";
        InfoOverride = "cap.info.override", Malformed: "a later block of the same language does not override an earlier one for the same area";
        Web = "cap.info.web", Malformed: "a web address is absolute";
        Mime = "cap.resource.mime", Malformed: "a media type is a type and a subtype, such as image/png";
        ResourceSize = "cap.resource.size", Malformed: "a size in bytes is not negative";
        ResourceUri = "cap.resource.uri", Malformed: "the address of a resource is absolute, unless its content stands inside";
        ResourceDeref = "cap.resource.deref", Malformed: "content inside the document is in base64";
        ResourceDigest = "cap.resource.digest", Malformed: "a digest is a SHA-1 in hexadecimal";
        AreaCrossing = "cap.area.crossing", BadPlace: "the edges of a polygon do not cross";
        GeoSwapped = "cap.geo.swapped", BadPlace: "latitude and longitude seem to have changed places: the other way round it fits";
        GeoOutside = "cap.geo.outside_country", BadPlace: "a shape lies in the country that its area names";
        GeoZero = "cap.geo.zero", BadPlace: "a shape lies at 0,0, as if it had not been filled in";
        TextMarkup = "cap.text.markup", Malformed: "texts hold no HTML";
        TextSame = "cap.text.same", Malformed: "a text is not the same in two languages";
        LimitInfos = "cap.limit.infos", TooMany: "more info blocks than this network imports";
        LimitPolygons = "cap.limit.polygons", TooMany: "more polygons than this network imports";
        LimitPoints = "cap.limit.points", TooMany: "more points than this network imports";
        LimitReferences = "cap.limit.references", TooMany: "more references than this network imports";
        LimitSize = "cap.limit.size", TooLarge: "larger than what this network imports";
    }
    Note {
        FormatOlder = "cap.format.older", NotCap: "the document is of an older CAP than 1.2";
        FormatFeed = "cap.format.feed", NotCap: "the document is an Atom feed; give the alerts that it lists";
        FormatWrapper = "cap.format.wrapper", NotCap: "the document is an EDXL-DE container; give the alert inside it";
        FormatOther = "cap.format.other", NotCap: "the root of the document is not alert of CAP 1.2";
        Instruction = "cap.xml.instruction", MalformedFile: "a processing instruction, such as a style sheet, was not followed";
        Signature = "cap.signature", Malformed: "there is a signature; whether the document is valid does not hang on it";
        ProfileExpires = "cap.profile.expires", MissingField: "the profile SahelPlus:1.0 asks for expires in each block";
        ProfileLanguage = "cap.profile.language", MissingField: "the profile SahelPlus:1.0 asks for the language of each block";
        ProfileEvent = "cap.profile.event", MissingField: "the profile SahelPlus:1.0 asks for an eventCode SahelPlus:event:1";
        ProfileArea = "cap.profile.area", MissingField: "the profile SahelPlus:1.0 asks for a geocode and a shape";
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing found, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was found.
    pub rule: Rule,
    /// The element: `alert/info[2]/area[1]/polygon[1]`, with numbers where an element may repeat; empty where
    /// there is none. The name of an element that CAP does not know stands there shortened.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// The column of the element's first character, from 1.
    pub column: usize,
    /// What is wrong, in a sentence that repeats nothing of the document.
    pub message: String,
}

/// The findings so far: at most [`FAULTS_MAX`] of each severity, the rest only counted.
#[derive(Debug, Default)]
pub(super) struct Findings {
    list: Vec<Finding>,
    kept: [usize; 3],
    /// How many were found beyond those kept.
    pub(super) left_out: usize,
}

impl Findings {
    pub(super) fn add(&mut self, rule: Rule, path: impl fmt::Display, at: (usize, usize), message: impl Into<String>) {
        let kept = &mut self.kept[rule.severity() as usize];
        if *kept < FAULTS_MAX {
            *kept += 1;
            let (line, column) = at;
            self.list.push(Finding { rule, path: path.to_string(), line, column, message: message.into() });
        } else {
            self.left_out += 1;
        }
    }

    /// Whether anything of this severity was found.
    pub(super) fn any(&self, severity: Severity) -> bool {
        self.kept[severity as usize] > 0
    }

    /// All, in the order of the document.
    pub(super) fn into_vec(mut self) -> Vec<Finding> {
        self.list.sort_by_key(|finding| (finding.line, finding.column));
        self.list
    }
}
