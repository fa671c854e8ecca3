//! Links into the admin portal.

use aws_lc_rs::rand;
use genkan_contract::scalekit::v1::organizations as wire;
use genkan_store::organization::Feature;
use genkan_store::portal_link::{self, LIFETIME, PortalLink};
use genkan_store::{PortalLinkId, SecretHash};

use super::existing;
use crate::render::time;
use crate::{Api, Call, Error, id};

/// Makes a link. Its address is shown once: the store keeps a hash.
pub(super) async fn generate(
    api: &Api,
    call: &Call<'_>,
    message: &wire::GeneratePortalLinkRequest,
) -> Result<wire::Link, Error> {
    let features = features(message)?;
    let uuid = random_uuid();
    let (at, token) = (call.at(), SecretHash::of(uuid.as_bytes()));
    let (link_id, expires_at): (PortalLinkId, _) = (at.id(), at.now + LIFETIME);
    api.tx(async |tx| {
        let link = PortalLink {
            id: link_id.clone(),
            organization_id: existing(tx, &message.id).await?,
            features: features.clone(),
            created_at: at.now,
            expires_at,
            used_at: None,
        };
        Ok(portal_link::insert(tx, at, &link, &token).await?)
    })
    .await?;
    Ok(wire::Link {
        id: link_id.to_string(),
        location: format!("{}/magicLink/{uuid}", api.public_url()),
        expire_time: Some(time(expires_at)),
    })
}

/// A request without features gets all of them.
#[expect(
    deprecated,
    reason = "clients of old name two features by fields of their own"
)]
fn features(message: &wire::GeneratePortalLinkRequest) -> Result<Vec<Feature>, Error> {
    let mut features = Vec::new();
    for feature in &message.features {
        features.push(match wire::Feature::try_from(*feature) {
            Ok(wire::Feature::Sso) => Feature::Sso,
            Ok(wire::Feature::DirSync) => Feature::DirSync,
            Ok(wire::Feature::Unspecified) => continue,
            Err(_) => return Err(Error::invalid("features", "names a feature that there is not")),
        });
    }
    let named_of_old = [
        (message.sso, Feature::Sso),
        (message.directory_sync, Feature::DirSync),
    ];
    features.extend(
        named_of_old
            .iter()
            .filter(|(on, _)| *on == Some(true))
            .map(|(_, feature)| *feature),
    );
    features.sort_unstable();
    features.dedup();
    Ok(features)
}

/// A random UUID (RFC 9562 §5.4): nobody guesses its 122 random bits within a minute.
fn random_uuid() -> String {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).expect("the operating system has randomness");
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = |range: std::ops::Range<usize>| -> String {
        bytes[range].iter().map(|byte| format!("{byte:02x}")).collect()
    };
    format!(
        "{}-{}-{}-{}-{}",
        hex(0..4),
        hex(4..6),
        hex(6..8),
        hex(8..10),
        hex(10..16)
    )
}

pub(super) async fn delete(
    api: &Api,
    call: &Call<'_>,
    message: &wire::DeletePortalLinkByIdRequest,
) -> Result<(), Error> {
    api.tx(async |tx| {
        let organization_id = existing(tx, &message.id).await?;
        let link_id: PortalLinkId = id("portal link", &message.link_id)?;
        match portal_link::delete(tx, call.at(), &organization_id, Some(&link_id)).await? {
            0 => Err(Error::not_found("portal link")),
            _ => Ok(()),
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_ends_in_a_random_uuid() {
        let (one, other) = (random_uuid(), random_uuid());
        assert_ne!(one, other);
        assert_eq!(one.len(), 36);
        assert_eq!((one.as_bytes()[14], one.matches('-').count()), (b'4', 4));
    }
}
