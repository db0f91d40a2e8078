//! Walks the TOML document and the environment side by side. Collects every fault instead of
//! stopping at the first; a key that nobody asked for is unknown, so the schema stands nowhere twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
};

use toml::de::{DeTable, DeValue};

use super::{
    fault::{Fault, Place},
    value::Value,
};

/// Every variable of the environment that overrides a key begins so.
pub(super) const PREFIX: &str = "PASSERELLE_";

/// A value and where it was found.
#[derive(Clone, Debug)]
pub(super) struct Found<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

/// Reads one configuration.
pub(super) struct Reader<'a> {
    text: &'a str,
    /// The variables not yet claimed by a key.
    environment: BTreeMap<String, String>,
    pub(super) faults: Vec<Fault>,
    /// Every key that was asked for, as `section.key`: the schema.
    pub(super) schema: BTreeSet<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str, environment: impl Iterator<Item = (String, String)>) -> Self {
        let environment = environment.filter(|(name, _)| name.starts_with(PREFIX)).collect();
        Self { text, environment, faults: Vec::new(), schema: BTreeSet::new() }
    }

    /// The place of a byte of the file.
    pub(super) fn place(&self, offset: usize) -> Place {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before[line_start..].chars().count() + 1;
        Place::Line { line: before.matches('\n').count() + 1, column }
    }

    pub(super) fn fault(&mut self, place: Place, what: impl Into<String>, remedy: impl Into<String>) {
        self.faults.push(Fault::new(place, what, remedy));
    }

    /// The section `[name]`, absent or not.
    pub(super) fn section<'r>(&'r mut self, root: &'a DeTable<'a>, name: &'static str) -> Section<'r, 'a> {
        let place = root.get(name).map(|found| self.place(found.span().start)).unwrap_or(Place::File);
        let table = match root.get(name).map(|found| found.get_ref()) {
            Some(DeValue::Table(table)) => Some(table),
            Some(_) => {
                let remedy = format!("Write [{name}] on a line of its own and its keys below.");
                self.fault(place.clone(), format!("`{name}` is not a section"), remedy);
                None
            }
            None => None,
        };
        Section { reader: self, name, table, place, overridable: true, asked: Vec::new() }
    }

    /// The root of the document: the keys above the first section.
    pub(super) fn root<'r>(&'r mut self, root: &'a DeTable<'a>) -> Section<'r, 'a> {
        Section { reader: self, name: "", table: Some(root), place: Place::File, overridable: true, asked: Vec::new() }
    }

    /// The tables of `[[name]]`, each with the place of its beginning.
    pub(super) fn tables(&mut self, root: &'a DeTable<'a>, name: &'static str) -> Vec<(&'a DeTable<'a>, Place)> {
        let Some(found) = root.get(name) else { return Vec::new() };
        let entries = found.get_ref().as_array().map(|array| array.iter()).into_iter().flatten();
        let (mut tables, mut sound) = (Vec::new(), found.get_ref().is_array());
        for entry in entries {
            match entry.get_ref() {
                DeValue::Table(table) => tables.push((table, self.place(entry.span().start))),
                _ => sound = false,
            }
        }
        if !sound {
            let remedy = format!("Write [[{name}]] on a line of its own before the keys of each, with two brackets.");
            self.fault(self.place(found.span().start), format!("`{name}` is not a list of sections"), remedy);
        }
        tables
    }

    /// One table of `[[name]]`. The environment cannot override its keys: it has no way to say which one.
    pub(super) fn entry<'r>(&'r mut self, name: &'static str, table: &'a DeTable<'a>, place: Place) -> Section<'r, 'a> {
        Section { reader: self, name, table: Some(table), place, overridable: false, asked: Vec::new() }
    }

    /// Reports the variables that override nothing. A name without `__` that is not a key may belong to somebody else
    /// (the command line tool, a container's service links), so only names of our form are refused.
    pub(super) fn refuse_leftover_variables(&mut self) {
        let known: Vec<String> =
            self.schema.iter().filter(|key| !key.contains("[]")).map(|key| variable_of(key)).collect();
        for name in std::mem::take(&mut self.environment).into_keys() {
            if name[PREFIX.len()..].contains("__") {
                let remedy = match nearest(&name, known.iter().map(String::as_str)) {
                    Some(near) => format!("Did you mean {near}? Otherwise unset it."),
                    None => "Unset it; node.reference.toml lists every key.".to_owned(),
                };
                self.fault(Place::Variable(name), "no key of the configuration has this name", remedy);
            }
        }
    }
}

/// One section while its keys are asked for.
pub(super) struct Section<'r, 'a> {
    reader: &'r mut Reader<'a>,
    name: &'static str,
    table: Option<&'a DeTable<'a>>,
    /// Where the section begins.
    pub(super) place: Place,
    overridable: bool,
    asked: Vec<&'static str>,
}

impl<'a> Section<'_, 'a> {
    /// The name of a key as people read it in messages.
    fn full(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }

    pub(super) fn fault(&mut self, place: Place, what: impl Into<String>, remedy: impl Into<String>) {
        self.reader.fault(place, what, remedy);
    }

    /// How many faults were found so far.
    pub(super) fn faults(&self) -> usize {
        self.reader.faults.len()
    }

    /// Whether `key` was written, rightly or wrongly; to be asked before it is read.
    pub(super) fn has(&self, key: &str) -> bool {
        let overridden = self.overridable && self.reader.environment.contains_key(&variable_of(&self.full(key)));
        overridden || self.table.is_some_and(|table| table.contains_key(key))
    }

    /// Notes that `key` exists, and finds it: in the environment first.
    fn ask(&mut self, key: &'static str) -> (Option<Found<String>>, Option<Found<&'a DeValue<'a>>>) {
        self.asked.push(key);
        let entry = if self.overridable { "" } else { "[]" };
        let full = if self.name.is_empty() { key.to_owned() } else { format!("{}{entry}.{key}", self.name) };
        let variable = variable_of(&full);
        self.reader.schema.insert(full);
        if self.overridable
            && let Some(text) = self.reader.environment.remove(&variable)
        {
            return (Some(Found { value: text, place: Place::Variable(variable) }), None);
        }
        let in_file = self.table.and_then(|table| table.get(key));
        let in_file = in_file.map(|f| Found { value: f.get_ref(), place: self.reader.place(f.span().start) });
        (None, in_file)
    }

    /// The value of `key`, or `None` when it is absent or wrong (and then reported).
    pub(super) fn find<T: Value>(&mut self, key: &'static str) -> Option<Found<T>> {
        let (value, place) = match self.ask(key) {
            (Some(text), _) => (T::from_text(text.value.trim()), text.place),
            (None, Some(found)) => (T::from_toml(found.value), found.place),
            (None, None) => return None,
        };
        if value.is_none() {
            let what = format!("`{}` is not {}", self.full(key), T::IS);
            self.fault(place.clone(), what, format!("Write {}.", T::EXAMPLE));
        }
        value.map(|value| Found { value, place })
    }

    /// The value of `key`, or `default` when it is absent or wrong.
    pub(super) fn or<T: Value>(&mut self, key: &'static str, default: T) -> T {
        self.find(key).map_or(default, |found| found.value)
    }

    /// A number within `bounds`, or `default`.
    pub(super) fn within(&mut self, key: &'static str, bounds: RangeInclusive<u64>, default: u64) -> u64 {
        let Some(Found { value, place }) = self.find::<u64>(key) else { return default };
        if bounds.contains(&value) {
            return value;
        }
        let remedy = format!("Write a whole number from {} to {}.", bounds.start(), bounds.end());
        self.fault(place, format!("`{}` is out of bounds", self.full(key)), remedy);
        default
    }

    /// The values of a list, `None` when the key is absent. In the environment the values are separated by commas.
    pub(super) fn list<T: Value>(&mut self, key: &'static str) -> Option<Vec<Found<T>>> {
        let candidates: Vec<(Option<T>, Place)> = match self.ask(key) {
            (Some(Found { value, place }), _) => {
                let items = value.split(',').map(str::trim).filter(|item| !item.is_empty());
                items.map(|item| (T::from_text(item), place.clone())).collect()
            }
            (None, Some(Found { value: DeValue::Array(items), .. })) => {
                items.iter().map(|item| (T::from_toml(item.get_ref()), self.reader.place(item.span().start))).collect()
            }
            (None, Some(found)) => {
                let remedy = format!("Put it in square brackets; each value is {}.", T::EXAMPLE);
                self.fault(found.place, format!("`{}` is not a list", self.full(key)), remedy);
                return None;
            }
            (None, None) => return None,
        };
        let mut values = Vec::new();
        for (value, place) in candidates {
            match value {
                Some(value) => values.push(Found { value, place }),
                None => {
                    let what = format!("`{}` holds something that is not {}", self.full(key), T::IS);
                    self.fault(place, what, format!("Write {}.", T::EXAMPLE));
                }
            }
        }
        Some(values)
    }

    /// Marks the names of sections as known among the keys of the root.
    pub(super) fn sections(&mut self, names: &[&'static str]) {
        self.asked.extend(names);
    }

    /// Refuses every key of the section that was not asked for.
    pub(super) fn refuse_unknown(self) {
        let Some(table) = self.table else { return };
        for key in table.keys().filter(|key| !self.asked.contains(&key.get_ref().as_ref())) {
            let name = key.get_ref().as_ref();
            let shown = self.full(&name.escape_debug().to_string());
            let remedy = match nearest(name, self.asked.iter().copied()) {
                Some(near) => format!("Did you mean `{near}`?"),
                None => format!("Remove it; the keys known here are {}.", self.asked.join(", ")),
            };
            let (place, what) = (self.reader.place(key.span().start), format!("`{shown}` is not a known key"));
            self.reader.fault(place, what, remedy);
        }
    }
}

/// The variable that overrides a key: `link.listen` is `PASSERELLE_LINK__LISTEN`, `data_dir` is `PASSERELLE_DATA_DIR`.
fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_ascii_uppercase())
}

/// The known name that was probably meant: at most a third of its letters differ.
fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    known
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance * 3 <= candidate.len())
        .min()
        .map(|(_, candidate)| candidate)
}
