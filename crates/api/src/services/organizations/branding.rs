//! An organization's own look.

use genkan_contract::scalekit::v1::organizations::{
    BrandingSource, OrganizationBranding, UpdateOrganizationBrandingRequest,
};
use genkan_store::organization::branding::{self, Branding};
use prost_types::{ListValue, Struct, Value, value::Kind};
use serde_json::{Map, Number, Value as Json};

use super::existing;
use crate::render::time;
use crate::{Api, Call, Error};

/// Enough for colours, a logo and a few texts.
const MAX_BYTES: usize = 64 * 1024;

pub(super) async fn find(api: &Api, organization_id: &str) -> Result<OrganizationBranding, Error> {
    let branding = api
        .read(async |tx| {
            let id = existing(tx, organization_id).await?;
            Ok(branding::find(tx, &id).await?)
        })
        .await?;
    Ok(render(branding.as_ref()))
}

pub(super) async fn update(
    api: &Api,
    call: &Call<'_>,
    message: UpdateOrganizationBrandingRequest,
) -> Result<OrganizationBranding, Error> {
    let settings = match BrandingSource::try_from(message.source) {
        Ok(BrandingSource::Environment) => None,
        Ok(BrandingSource::Custom) => Some(read_settings(message.customization_settings)?),
        Ok(BrandingSource::Unspecified) | Err(_) => return Err(Error::required("source")),
    };
    let branding = api
        .tx(async |tx| {
            let id = existing(tx, &message.organization_id).await?;
            Ok(branding::set(tx, call.at(), &id, settings.as_ref()).await?)
        })
        .await?;
    Ok(render(branding.as_ref()))
}

fn render(branding: Option<&Branding>) -> OrganizationBranding {
    match branding {
        None => OrganizationBranding {
            source: BrandingSource::Environment.into(),
            ..OrganizationBranding::default()
        },
        Some(branding) => OrganizationBranding {
            source: BrandingSource::Custom.into(),
            customization_settings: Some(structure(&branding.settings)),
            update_time: Some(time(branding.updated_at())),
        },
    }
}

fn read_settings(settings: Option<Struct>) -> Result<Map<String, Json>, Error> {
    let settings = settings.ok_or_else(|| Error::required("customization_settings"))?;
    let settings: Map<String, Json> = settings
        .fields
        .into_iter()
        .map(|(name, value)| (name, read_value(value)))
        .collect();
    match Json::from(settings) {
        Json::Object(settings) if Json::from(settings.clone()).to_string().len() <= MAX_BYTES => Ok(settings),
        _ => Err(Error::invalid(
            "customization_settings",
            "is larger than 64 KiB: put images elsewhere and their addresses here",
        )),
    }
}

fn read_value(value: Value) -> Json {
    match value.kind {
        None | Some(Kind::NullValue(_)) => Json::Null,
        // JSON has neither infinity nor NaN.
        Some(Kind::NumberValue(number)) => Number::from_f64(number).map_or(Json::Null, Json::Number),
        Some(Kind::StringValue(text)) => text.into(),
        Some(Kind::BoolValue(value)) => value.into(),
        Some(Kind::StructValue(fields)) => {
            let fields = fields.fields.into_iter();
            Json::Object(fields.map(|(name, value)| (name, read_value(value))).collect())
        }
        Some(Kind::ListValue(list)) => list.values.into_iter().map(read_value).collect(),
    }
}

fn structure(object: &Map<String, Json>) -> Struct {
    Struct {
        fields: object
            .iter()
            .map(|(name, value)| (name.clone(), render_value(value)))
            .collect(),
    }
}

fn render_value(value: &Json) -> Value {
    let kind = match value {
        Json::Null => Kind::NullValue(0),
        Json::Bool(value) => Kind::BoolValue(*value),
        Json::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or_default()),
        Json::String(text) => Kind::StringValue(text.clone()),
        Json::Array(values) => Kind::ListValue(ListValue {
            values: values.iter().map(render_value).collect(),
        }),
        Json::Object(object) => Kind::StructValue(structure(object)),
    };
    Value { kind: Some(kind) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_come_back_as_they_were_given() {
        let settings = json!({"logo": null, "colors": {"accent": "#0a7"}, "radius": 4.5, "on": true, "list": [1.0, "x"]});
        let Json::Object(settings) = settings else {
            unreachable!()
        };
        assert_eq!(read_settings(Some(structure(&settings))).unwrap(), settings);
    }

    #[test]
    fn what_is_too_large_is_refused() {
        let mut settings = Map::new();
        settings.insert("logo".to_owned(), "x".repeat(MAX_BYTES).into());
        assert!(read_settings(Some(structure(&settings))).is_err());
    }
}
