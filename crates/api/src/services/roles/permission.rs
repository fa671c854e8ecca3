//! Permissions.

use genkan_contract::scalekit::v1::roles as contract;
use genkan_db::Tx;
use genkan_store::permission::{self, Permission};
use genkan_store::role::{self, Role};

use super::refuse;
use crate::paging::{self, Sizes};
use crate::{Api, Call, Error, render};

/// The sizes of a page: few applications have more permissions than one page.
const SIZES: Sizes = Sizes {
    default: 100,
    max: 100,
};

pub(super) fn render(permission: Permission) -> contract::Permission {
    contract::Permission {
        id: permission.id.to_string(),
        name: permission.name,
        description: permission.description,
        create_time: Some(render::time(permission.created_at)),
        update_time: Some(render::time(permission.updated_at)),
        is_scalekit_permission: false,
    }
}

fn render_all(permissions: Vec<Permission>) -> Vec<contract::Permission> {
    permissions.into_iter().map(render).collect()
}

async fn find(tx: &mut Tx<'_>, name: &str) -> Result<Permission, Error> {
    let found = permission::find(tx, name).await?;
    found.ok_or_else(|| Error::not_found("permission"))
}

/// The permissions that `field` names.
pub(super) async fn find_all(
    tx: &mut Tx<'_>,
    field: &str,
    names: &[String],
) -> Result<Vec<Permission>, Error> {
    permission::find_all(tx, names)
        .await?
        .map_err(|name| Error::invalid(field, &format!("there is no permission {name}")))
}

/// A role of the environment: these methods name no organization.
async fn find_role(tx: &mut Tx<'_>, name: &str) -> Result<Role, Error> {
    let found = role::find(tx, None, name).await?;
    found.ok_or_else(|| Error::not_found("role"))
}

pub(super) async fn create(
    api: &Api,
    call: &Call<'_>,
    wanted: contract::CreatePermission,
) -> Result<contract::Permission, Error> {
    let permission = Permission {
        id: call.at().id(),
        name: wanted.name,
        description: wanted.description,
        created_at: call.now,
        updated_at: call.now,
    };
    api.tx(async |tx| Ok(permission::insert(tx, call.at(), &permission).await?))
        .await
        .map_err(refuse::change)?;
    Ok(render(permission))
}

pub(super) async fn get(api: &Api, name: &str) -> Result<contract::Permission, Error> {
    api.read(async |tx| find(tx, name).await).await.map(render)
}

pub(super) async fn update(
    api: &Api,
    call: &Call<'_>,
    name: &str,
    wanted: contract::CreatePermission,
) -> Result<contract::Permission, Error> {
    let updated = api.tx(async |tx| {
        let mut permission = find(tx, name).await?;
        permission.name.clone_from(&wanted.name);
        permission.description.clone_from(&wanted.description);
        permission::update(tx, call.at(), &permission).await?;
        find(tx, &wanted.name).await
    });
    updated.await.map(render).map_err(refuse::change)
}

pub(super) async fn list(
    api: &Api,
    message: &contract::ListPermissionsRequest,
) -> Result<contract::ListPermissionsResponse, Error> {
    use contract::PermissionType as Type;

    match Type::try_from(message.r#type) {
        Ok(Type::All | Type::Environment) => {}
        Ok(Type::Scalekit) => return Ok(contract::ListPermissionsResponse::default()),
        Err(_) => return Err(Error::invalid("type", "is none of ALL, SCALEKIT and ENVIRONMENT")),
    }
    let token = message.page_token.as_deref().unwrap_or_default();
    let page = paging::request(message.page_size.unwrap_or_default(), token, SIZES)?;
    let (rows, total) = api
        .read(async |tx| Ok((permission::list(tx, &page).await?, permission::count(tx).await?)))
        .await?;
    let paged = paging::answer(&page, rows, |permission| &permission.id);
    Ok(contract::ListPermissionsResponse {
        permissions: render_all(paged.rows),
        prev_page_token: paged.prev_page_token,
        next_page_token: paged.next_page_token,
        total_size: u32::try_from(total).unwrap_or(u32::MAX),
    })
}

pub(super) async fn delete(api: &Api, call: &Call<'_>, name: &str) -> Result<(), Error> {
    api.tx(async |tx| {
        let permission = find(tx, name).await?;
        permission::delete(tx, call.at(), &permission).await?;
        Ok(())
    })
    .await
}

pub(super) async fn list_for_role(api: &Api, role_name: &str) -> Result<Vec<contract::Permission>, Error> {
    let held = api.read(async |tx| {
        let role = find_role(tx, role_name).await?;
        Ok(permission::list_for_role(tx, &role.id).await?)
    });
    held.await.map(render_all)
}

pub(super) async fn list_effective(api: &Api, role_name: &str) -> Result<Vec<contract::Permission>, Error> {
    let held = api.read(async |tx| {
        let role = find_role(tx, role_name).await?;
        Ok(permission::list_effective(tx, &role.id).await?)
    });
    held.await.map(render_all)
}

pub(super) async fn add_to_role(
    api: &Api,
    call: &Call<'_>,
    role_name: &str,
    names: &[String],
) -> Result<Vec<contract::Permission>, Error> {
    let held = api.tx(async |tx| {
        let role = find_role(tx, role_name).await?;
        // Unknown names are skipped, as the SDKs expect.
        let permissions = permission::find_known(tx, names).await?;
        role::permit(tx, call.at(), &role, &permissions).await?;
        Ok(permission::list_for_role(tx, &role.id).await?)
    });
    held.await.map(render_all)
}

pub(super) async fn remove_from_role(
    api: &Api,
    call: &Call<'_>,
    role_name: &str,
    name: &str,
) -> Result<(), Error> {
    api.tx(async |tx| {
        let role = find_role(tx, role_name).await?;
        let permission = find(tx, name).await?;
        if role::forbid(tx, call.at(), &role, &permission).await? {
            Ok(())
        } else {
            // An inherited permission must be removed from the role that has it.
            Err(Error::not_found("permission of the role itself"))
        }
    })
    .await
}
