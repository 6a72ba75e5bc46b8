//! The store that needs no server: one file, by the embedded database redb.

use std::path::Path;
use std::sync::Arc;

use purezmq::Message;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::{Frames, Record, Store, frames};
use crate::majordomo::Error;

const RECORDS: TableDefinition<'_, u128, Frames<'static>> = TableDefinition::new("records");

/// Keeps records in a file. One process may have it open at a time.
#[derive(Clone, Debug)]
pub struct RedbStore(Arc<Database>);

impl RedbStore {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    ///
    /// Another process has it open; it is no such file; or it cannot be read and written.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let database = Database::create(path)?;
        let write = database.begin_write()?;
        write.open_table(RECORDS)?;
        write.commit()?;
        Ok(RedbStore(Arc::new(database)))
    }

    /// Works with the file where it holds up no task.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let database = self.0.clone();
        spawn_blocking(move || work(&database)).await?
    }
}

impl Store for RedbStore {
    async fn put(&self, id: Uuid, request: Message) -> Result<(), Error> {
        self.with(move |database| {
            let frames = frames(&request, None);
            let write = database.begin_write()?;
            write.open_table(RECORDS)?.insert(id.as_u128(), frames)?;
            Ok(write.commit()?)
        })
        .await
    }

    async fn put_answer(&self, id: Uuid, answer: Message) -> Result<(), Error> {
        self.with(move |database| {
            let write = database.begin_write()?;
            let mut table = write.open_table(RECORDS)?;
            if let Some(mut found) = table.get_mut(id.as_u128())? {
                let request = Record::of(found.value()).request;
                found.insert(frames(&request, Some(&answer)))?;
            }
            drop(table);
            Ok(write.commit()?)
        })
        .await
    }

    async fn get(&self, id: Uuid) -> Result<Option<Record>, Error> {
        self.with(move |database| {
            let table = database.begin_read()?.open_table(RECORDS)?;
            let found = table.get(id.as_u128())?;
            Ok(found.map(|found| Record::of(found.value())))
        })
        .await
    }

    async fn remove(&self, id: Uuid) -> Result<(), Error> {
        self.with(move |database| {
            let write = database.begin_write()?;
            write.open_table(RECORDS)?.remove(id.as_u128())?;
            Ok(write.commit()?)
        })
        .await
    }

    async fn ids(&self) -> Result<Vec<Uuid>, Error> {
        self.with(|database| {
            let table = database.begin_read()?.open_table(RECORDS)?;
            let ids = table.iter()?.map(|row| Ok(Uuid::from_u128(row?.0.value())));
            ids.collect()
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_kept_is_there_when_the_file_is_opened_again() -> Result<(), Error> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("store");
        let [kept, gone] = [Uuid::from_u128(1), Uuid::from_u128(2)];
        let request = Message::from(["echo", "", "hello"]);
        let store = RedbStore::open(&file)?;
        store.put(kept, request.clone()).await?;
        store.put(gone, request.clone()).await?;
        let mut record = Record {
            request,
            answer: None,
        };
        assert_eq!(store.get(kept).await?, Some(record.clone()));
        store.put_answer(kept, ["one", ""].into()).await?;
        record.answer = Some(["one", ""].into());
        store.remove(gone).await?;
        // Too late.
        store.put_answer(gone, "one".into()).await?;
        drop(store);

        let store = RedbStore::open(&file)?;
        assert_eq!(store.ids().await?, [kept]);
        assert_eq!(store.get(kept).await?, Some(record));
        assert_eq!(store.get(gone).await?, None);
        Ok(())
    }
}
