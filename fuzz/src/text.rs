//! What people write: endpoints, keys, certificates; and what a ZAP handler answers.

use purezmq::Endpoint;
use purezmq::security::{Certificate, KeyPair, PublicKey, SecretKey, fuzzing, z85};
use zmtp::{Message, Metadata};

use crate::input::Input;

/// An endpoint that parses is written in a form that means the same.
pub(crate) fn endpoint(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(endpoint) = text.parse::<Endpoint>() else {
        return;
    };
    let written = endpoint.to_string();
    assert_eq!(
        written.parse::<Endpoint>().as_ref(),
        Ok(&endpoint),
        "{written}"
    );
    assert_eq!(written.parse::<Endpoint>().unwrap().to_string(), written);
}

/// Z85, keys, certificate files.
pub(crate) fn certificate(data: &[u8]) {
    if let Some(text) = z85::encode(data) {
        assert_eq!(
            z85::decode(&text).as_deref().map(|bytes| &bytes[..]),
            Some(data)
        );
    }
    let text = String::from_utf8_lossy(data);
    if let Some(bytes) = z85::decode(&text) {
        assert_eq!(z85::encode(&bytes).as_deref(), Some(&*text));
    }
    if let Ok(key) = text.parse::<PublicKey>() {
        assert_eq!(key.to_string(), text);
    }
    if let Ok(key) = text.parse::<SecretKey>() {
        assert_eq!(*key.to_z85(), *text);
    }
    // Seldom does anybody guess a key; so the input's keys are replaced with good ones.
    static KEYS: std::sync::OnceLock<KeyPair> = std::sync::OnceLock::new();
    let keys = KEYS.get_or_init(|| SecretKey::from([7; 32]).into());
    let filled = text
        .replace("PUBLIC", &keys.public().to_string())
        .replace("SECRET", &keys.secret().to_z85());
    for text in [&*text, &filled] {
        let Ok(certificate) = Certificate::parse(text) else {
            continue;
        };
        let whole = certificate.to_secret_text();
        assert_eq!(
            Certificate::parse(&whole).as_ref(),
            Ok(&certificate),
            "{}",
            *whole
        );
        let public = Certificate::parse(&certificate.to_public_text()).unwrap();
        assert_eq!(public.public_key(), certificate.public_key());
        assert!(public.secret_key().is_none());
    }
}

/// A ZAP handler's reply; frames as pieces.
pub(crate) fn zap(data: &[u8]) {
    let mut input = Input::new(data);
    let mut reply = Message::new();
    while !input.is_empty() {
        reply.push_back(input.piece());
    }
    // A reply that echoes its own request number.
    let id = reply
        .get(2)
        .map(String::from_utf8_lossy)
        .unwrap_or_default();
    let decision = fuzzing::zap_reply(&reply, &id);
    assert!(fuzzing::zap_reply(&reply, &format!("{id}0")).is_none());
    let Some(decision) = decision else {
        return;
    };
    let frames: Vec<&[u8]> = reply.iter().collect();
    assert_eq!(frames.len(), 7);
    match decision {
        Ok(admission) => {
            assert_eq!(frames[3], b"200");
            assert_eq!(Metadata::parse(frames[6]), Ok(admission.metadata));
        }
        Err(refusal) => assert_eq!(frames[3], refusal.status().to_string().as_bytes()),
    }
}
