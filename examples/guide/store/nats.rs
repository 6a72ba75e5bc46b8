//! The store for more than one machine: a key-value bucket of NATS JetStream, which any number of titanics may share.

use async_nats::jetstream::kv::{self, Operation, UpdateErrorKind};
use async_nats::jetstream::stream;
use futures::TryStreamExt;
use purezmq::Message;
use uuid::Uuid;

use super::{Record, Store, frames};
use crate::majordomo::Error;

/// Keeps records in the bucket `titanic`: each under its id, request and answer in one value.
#[derive(Clone, Debug)]
pub struct NatsStore(kv::Store);

impl NatsStore {
    /// Connects to a server, `nats://localhost:4222`, and makes the bucket if there is none. What is kept is in the files of one
    /// server, which outlives its process at once, and a power cut only after the server's `sync_interval`. Who needs more
    /// makes the bucket before, with three replicas.
    ///
    /// # Errors
    ///
    /// There is no server, or it is not given JetStream.
    pub async fn connect(server: &str) -> Result<Self, Error> {
        let client = async_nats::connect(server).await?;
        let jetstream = async_nats::jetstream::new(client);
        if let Ok(bucket) = jetstream.get_key_value("titanic").await {
            return Ok(NatsStore(bucket));
        }
        // A bucket is a stream with these options. `create_key_value` makes it, too, with servers newer than Debian's 2.9.
        let stream = stream::Config {
            name: "KV_titanic".to_owned(),
            subjects: vec!["$KV.titanic.>".to_owned()],
            max_messages_per_subject: 1,
            discard: stream::DiscardPolicy::New,
            allow_direct: true,
            allow_rollup: true,
            deny_delete: true,
            ..stream::Config::default()
        };
        jetstream.create_stream(stream).await?;
        Ok(NatsStore(jetstream.get_key_value("titanic").await?))
    }

    /// Returns the record, and which revision of it this is.
    async fn find(&self, id: Uuid) -> Result<Option<(Record, u64)>, Error> {
        let entry = self.0.entry(id).await?;
        // One that was removed has left a mark.
        let Some(entry) = entry.filter(|entry| entry.operation == Operation::Put) else {
            return Ok(None);
        };
        let record = Record::of(postcard::from_bytes(&entry.value)?);
        Ok(Some((record, entry.revision)))
    }
}

impl Store for NatsStore {
    async fn put(&self, id: Uuid, request: Message) -> Result<(), Error> {
        let value = postcard::to_stdvec(&frames(&request, None))?;
        self.0.put(id.to_string(), value.into()).await?;
        Ok(())
    }

    async fn put_answer(&self, id: Uuid, answer: Message) -> Result<(), Error> {
        let Some((record, revision)) = self.find(id).await? else {
            return Ok(());
        };
        let value = postcard::to_stdvec(&frames(&record.request, Some(&answer)))?;
        match self.0.update(id.to_string(), value.into(), revision).await {
            // It was removed meanwhile, or another titanic has the answer.
            Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => Ok(()),
            done => Ok(done.map(|_| ())?),
        }
    }

    async fn get(&self, id: Uuid) -> Result<Option<Record>, Error> {
        Ok(self.find(id).await?.map(|(record, _)| record))
    }

    async fn remove(&self, id: Uuid) -> Result<(), Error> {
        Ok(self.0.purge(id.to_string()).await?)
    }

    async fn ids(&self) -> Result<Vec<Uuid>, Error> {
        let keys: Vec<String> = self.0.keys().await?.try_collect().await?;
        let ids = keys.iter().map(|key| Ok(key.parse()?));
        ids.collect()
    }
}
