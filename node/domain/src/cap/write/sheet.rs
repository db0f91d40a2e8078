//! The XML of a document under way: elements in the order in which they are put, each on its line, all
//! texts escaped.

use quick_xml::escape::partial_escape as escape;

use super::super::{CAP_NAMESPACE, quote::plain};

/// A document whose root is open.
pub(super) struct Sheet {
    xml: String,
    depth: usize,
}

impl Sheet {
    /// A document that begins with its declaration and the start of `alert`.
    pub(super) fn new() -> Self {
        let xml = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<alert xmlns=\"{CAP_NAMESPACE}\">\n");
        Self { xml, depth: 1 }
    }

    fn line(&mut self, xml: &str) {
        self.xml.push_str(&"  ".repeat(self.depth));
        self.xml.push_str(xml);
        self.xml.push('\n');
    }

    /// An element with a text.
    pub(super) fn leaf(&mut self, name: &str, text: &str) {
        self.line(&format!("<{name}>{}</{name}>", escape(plain(text))));
    }

    /// An element with a text, where there is one.
    pub(super) fn optional(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.leaf(name, text);
        }
    }

    /// A `valueName` with its `value`.
    pub(super) fn pair(&mut self, element: &str, name: &str, value: &str) {
        let (name, value) = (escape(name), escape(plain(value)));
        self.line(&format!("<{element}><valueName>{name}</valueName><value>{value}</value></{element}>"));
    }

    /// An element that holds others.
    pub(super) fn within(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        self.line(&format!("<{name}>"));
        self.depth += 1;
        fill(self);
        self.depth -= 1;
        self.line(&format!("</{name}>"));
    }

    /// The whole document in UTF-8.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.xml.push_str("</alert>\n");
        self.xml.into_bytes()
    }
}
