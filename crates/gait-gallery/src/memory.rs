//! The store in memory.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::store::{Records, Store, StoreError, TemplateRecord, Visit};
use crate::{AuditEntry, AuditQuery, By, Event, GalleryError};

/// A gallery's records in memory, for tests and for programs that keep them in another way.
#[derive(Debug, Default)]
pub struct MemoryStore {
    tables: RefCell<Tables>,
}

#[derive(Debug, Default, Clone)]
struct Tables {
    settings: BTreeMap<String, Vec<u8>>,
    subjects: BTreeMap<i64, Vec<u8>>,
    templates: Vec<TemplateRecord>,
    silhouettes: BTreeMap<i64, Vec<u8>>,
    audit: Vec<AuditEntry>,
    /// The last number of a subject or template.
    last: i64,
}

impl Store for MemoryStore {
    fn read<T>(
        &self,
        work: impl FnOnce(&dyn Records) -> Result<T, GalleryError>,
    ) -> Result<T, GalleryError> {
        work(&self.tables)
    }

    fn write<T>(
        &mut self,
        work: impl FnOnce(&dyn Records) -> Result<T, GalleryError>,
    ) -> Result<T, GalleryError> {
        let former = self.tables.get_mut().clone();
        let result = work(&self.tables);
        if result.is_err() {
            self.tables.replace(former);
        }
        result
    }

    fn erase(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Tables {
    fn next(&mut self) -> i64 {
        self.last += 1;
        self.last
    }
}

impl Records for RefCell<Tables> {
    fn setting(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.borrow().settings.get(name).cloned())
    }

    fn set_setting(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        self.borrow_mut().settings.insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    fn subjects(&self) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        Ok(self.borrow().subjects.clone().into_iter().collect())
    }

    fn add_subject(&self) -> Result<i64, StoreError> {
        let id = self.borrow_mut().next();
        self.set_subject(id, &[])?;
        Ok(id)
    }

    fn set_subject(&self, id: i64, details: &[u8]) -> Result<(), StoreError> {
        self.borrow_mut().subjects.insert(id, details.to_owned());
        Ok(())
    }

    fn remove_subject(&self, id: i64) -> Result<(), StoreError> {
        let mut tables = self.borrow_mut();
        let Tables { subjects, templates, silhouettes, .. } = &mut *tables;
        subjects.remove(&id);
        for template in templates.extract_if(.., |template| template.subject == id) {
            silhouettes.remove(&template.id);
        }
        Ok(())
    }

    fn add_template(
        &self,
        subject: i64,
        details: &[u8],
        embedding: &[u8],
    ) -> Result<i64, StoreError> {
        let mut tables = self.borrow_mut();
        let id = tables.next();
        let [details, embedding] = [details, embedding].map(<[u8]>::to_vec);
        tables.templates.push(TemplateRecord { id, subject, details, embedding });
        Ok(id)
    }

    fn set_template(&self, id: i64, details: &[u8], embedding: &[u8]) -> Result<(), StoreError> {
        let mut tables = self.borrow_mut();
        for template in tables.templates.iter_mut().filter(|template| template.id == id) {
            template.details = details.to_owned();
            template.embedding = embedding.to_owned();
        }
        Ok(())
    }

    fn add_silhouettes(&self, template: i64, frames: &[u8]) -> Result<(), StoreError> {
        self.borrow_mut().silhouettes.insert(template, frames.to_owned());
        Ok(())
    }

    fn silhouettes(&self, template: i64) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.borrow().silhouettes.get(&template).cloned())
    }

    fn templates(&self, subject: Option<i64>, visit: Visit) -> Result<(), GalleryError> {
        let tables = self.borrow();
        let chosen = tables.templates.iter().filter(|t| subject.is_none_or(|id| t.subject == id));
        chosen.cloned().try_for_each(visit)
    }

    fn template_counts(&self) -> Result<BTreeMap<i64, u64>, StoreError> {
        let mut counts = BTreeMap::new();
        self.borrow().templates.iter().for_each(|t| *counts.entry(t.subject).or_insert(0) += 1);
        Ok(counts)
    }

    fn append_audit(&self, by: &By, event: &Event) -> Result<(), StoreError> {
        let mut tables = self.borrow_mut();
        let id = tables.audit.last().map_or(1, |entry| entry.id + 1);
        let By { who, at } = by.clone();
        tables.audit.push(AuditEntry { id, at, who, event: event.clone() });
        Ok(())
    }

    fn audit(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
        let tables = self.borrow();
        Ok(tables.audit.iter().filter(|entry| query.matches(entry)).cloned().collect())
    }
}
