//! Session policies of organizations.

use std::time::Duration;

use genkan_contract::scalekit::v1::commons::TimeUnit;
use genkan_contract::scalekit::v1::organizations::{
    ApplicationSessionPolicySettings, OrganizationSessionPolicySettings, SessionPolicyType,
    UpdateOrganizationSessionPolicyRequest,
};
use genkan_store::environment::{self, Environment};
use genkan_store::session_policy::{self, SessionPolicy, Span, Unit};

use super::existing;
use crate::{Api, Call, Error};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest limits, also for the environment.
const MAX_ABSOLUTE: Duration = DAY.saturating_mul(365);
const MAX_IDLE: Duration = DAY.saturating_mul(7);

pub(super) async fn find(
    api: &Api,
    organization_id: &str,
) -> Result<OrganizationSessionPolicySettings, Error> {
    let policy = api
        .read(async |tx| {
            let id = existing(tx, organization_id).await?;
            Ok(session_policy::find(tx, &id).await?)
        })
        .await?;
    Ok(render(policy.as_ref()))
}

/// The limits of the application, which are an organization's default.
pub(super) async fn application(
    api: &Api,
    organization_id: &str,
) -> Result<ApplicationSessionPolicySettings, Error> {
    let environment = api
        .read(async |tx| {
            existing(tx, organization_id).await?;
            Ok(environment::get(tx).await?)
        })
        .await?;
    Ok(ApplicationSessionPolicySettings {
        absolute_session_timeout: minutes(environment.session_absolute),
        idle_session_timeout_enabled: true,
        idle_session_timeout: minutes(environment.session_idle),
        access_token_expiry: minutes(environment.access_token_lifetime),
        absolute_session_timeout_unit: Some(TimeUnit::Minutes.into()),
        idle_session_timeout_unit: Some(TimeUnit::Minutes.into()),
    })
}

/// Whole minutes, at least one.
fn minutes(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs() / 60).unwrap_or(i32::MAX).max(1)
}

/// Changes the fields that the message names. If the policy returns to the application's,
/// the custom one is deleted.
pub(super) async fn update(
    api: &Api,
    call: &Call<'_>,
    message: &UpdateOrganizationSessionPolicyRequest,
) -> Result<OrganizationSessionPolicySettings, Error> {
    let source = SessionPolicyType::try_from(message.policy_source)
        .map_err(|_| Error::invalid("policy_source", "is none of: APPLICATION, CUSTOM"))?;
    let policy = api
        .tx_read_committed(async |tx| {
            let id = existing(tx, &message.organization_id).await?;
            let before = session_policy::find(tx, &id).await?;
            let custom = match source {
                SessionPolicyType::Application => None,
                SessionPolicyType::Custom => Some(before.unwrap_or_default()),
                SessionPolicyType::Unspecified if before.is_some() => before,
                SessionPolicyType::Unspecified => return Err(Error::required("policy_source")),
            };
            let policy = match custom {
                Some(before) => Some(merge(before, message, &environment::get(tx).await?)?),
                None => None,
            };
            session_policy::set(tx, call.at(), &id, policy.as_ref()).await?;
            Ok(policy)
        })
        .await?;
    Ok(render(policy.as_ref()))
}

fn merge(
    before: SessionPolicy,
    message: &UpdateOrganizationSessionPolicyRequest,
    environment: &Environment,
) -> Result<SessionPolicy, Error> {
    let absolute = span(
        before.absolute,
        message.absolute_session_timeout,
        message.absolute_session_timeout_unit,
        "absolute_session_timeout",
    )?;
    let idle = span(
        before.idle,
        message.idle_session_timeout,
        message.idle_session_timeout_unit,
        "idle_session_timeout",
    )?;
    let policy = SessionPolicy {
        absolute,
        idle,
        idle_enabled: message
            .idle_session_timeout_enabled
            .unwrap_or(before.idle_enabled),
    };
    check(&policy, environment)?;
    Ok(policy)
}

/// A duration of which the number, the unit, or neither is new.
fn span(
    before: Option<Span>,
    count: Option<i32>,
    unit: Option<i32>,
    field: &str,
) -> Result<Option<Span>, Error> {
    let unit = match unit.map(TimeUnit::try_from) {
        None | Some(Ok(TimeUnit::SessionTimeUnitUnspecified)) => None,
        Some(Ok(TimeUnit::Minutes)) => Some(Unit::Minutes),
        Some(Ok(TimeUnit::Hours)) => Some(Unit::Hours),
        Some(Ok(TimeUnit::Days)) => Some(Unit::Days),
        Some(Err(_)) => {
            let field = format!("{field}_unit");
            return Err(Error::invalid(&field, "is none of: MINUTES, HOURS, DAYS"));
        }
    };
    let count = match count.map(u32::try_from) {
        Some(Ok(0) | Err(_)) => return Err(Error::invalid(field, "is less than 1")),
        Some(Ok(count)) => Some(count),
        None => before.map(|before| before.count),
    };
    let unit = unit.or(before.map(|before| before.unit)).unwrap_or(Unit::Minutes);
    Ok(count.map(|count| Span { count, unit }))
}

fn check(policy: &SessionPolicy, environment: &Environment) -> Result<(), Error> {
    if policy.absolute.is_none() && policy.idle.is_none() {
        return Err(Error::required("absolute_session_timeout"));
    }
    let (absolute, idle) = (
        policy.absolute.map(Span::duration),
        policy.idle.map(Span::duration),
    );
    if absolute.is_some_and(|absolute| !(MINUTE..=MAX_ABSOLUTE).contains(&absolute)) {
        return Err(Error::invalid(
            "absolute_session_timeout",
            "is more than 365 days",
        ));
    }
    let Some(idle) = idle else {
        if policy.idle_enabled {
            return Err(Error::required("idle_session_timeout"));
        }
        return Ok(());
    };
    if !(MINUTE..=MAX_IDLE).contains(&idle) {
        return Err(Error::invalid("idle_session_timeout", "is more than 7 days"));
    }
    if policy.idle_enabled && absolute.is_some_and(|absolute| idle > absolute) {
        return Err(Error::invalid(
            "idle_session_timeout",
            "is longer than absolute_session_timeout",
        ));
    }
    if policy.idle_enabled && idle <= environment.access_token_lifetime {
        // If a session ended before its access token is renewed, it would end in use.
        return Err(Error::invalid(
            "idle_session_timeout",
            "is not longer than an access token lives",
        ));
    }
    Ok(())
}

fn render(policy: Option<&SessionPolicy>) -> OrganizationSessionPolicySettings {
    let Some(policy) = policy else {
        return OrganizationSessionPolicySettings {
            policy_source: SessionPolicyType::Application.into(),
            ..OrganizationSessionPolicySettings::default()
        };
    };
    let count = |span: Option<Span>| span.map(|span| i32::try_from(span.count).unwrap_or(i32::MAX));
    let unit = |span: Option<Span>| {
        span.map(|span| match span.unit {
            Unit::Minutes => TimeUnit::Minutes.into(),
            Unit::Hours => TimeUnit::Hours.into(),
            Unit::Days => TimeUnit::Days.into(),
        })
    };
    OrganizationSessionPolicySettings {
        policy_source: SessionPolicyType::Custom.into(),
        absolute_session_timeout: count(policy.absolute),
        absolute_session_timeout_unit: unit(policy.absolute),
        idle_session_timeout_enabled: Some(policy.idle_enabled),
        idle_session_timeout: count(policy.idle),
        idle_session_timeout_unit: unit(policy.idle),
    }
}
