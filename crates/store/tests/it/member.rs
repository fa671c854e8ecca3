//! Members: users with their memberships.

use genkan_store::member::{self, Member};
use genkan_store::membership;
use genkan_store::{Page, UserId, user};

use crate::support::{World, on_each_engine};

fn summary(members: &[Member]) -> Vec<String> {
    let belongings = |member: &Member| {
        let line = |belonging: &member::MembershipDetails| {
            let roles: Vec<_> = belonging
                .roles
                .iter()
                .map(|role| format!("{}/{}", role.name, role.display_name))
                .collect();
            format!("{}:{}", belonging.membership.organization_id, roles.join("+"))
        };
        member.belongings.iter().map(line).collect::<Vec<_>>().join(" ")
    };
    members
        .iter()
        .map(|member| format!("{} {}", member.user.email.as_str(), belongings(member)))
        .collect()
}

async fn page(world: &World, page: Page<UserId>) -> Vec<String> {
    let members = world.tx(async |tx| member::list(tx, &page).await).await;
    for member in &members {
        for belonging in &member.belongings {
            let found = world.tx(async |tx| {
                membership::find(tx, &belonging.membership.organization_id, &member.user.id).await
            });
            assert_eq!(found.await.as_ref(), Some(&belonging.membership));
            assert_eq!(belonging.organization_name, "Acme");
        }
    }
    summary(&members)
}

#[tokio::test]
async fn users_are_listed_with_where_they_belong() {
    on_each_engine(async |world| {
        let ((one, _), (other, _)) = (
            world.company("acme.test").await,
            world.company("other.test").await,
        );
        let [ada, _bob, eve] = [
            world.user("ada@acme.test").await,
            world.user("bob@acme.test").await,
            world.user("eve@acme.test").await,
        ];
        world
            .tx(async |tx| {
                for (organization, user) in [(&one, &ada), (&other, &ada), (&one, &eve)] {
                    membership::insert(tx, world.start(), &organization.id, &user.id).await?;
                }
                let both = ["admin".to_owned(), "member".to_owned()];
                membership::set_roles(tx, world.start(), &one.id, &ada.id, &both).await
            })
            .await;
        let of_ada = format!(
            "ada@acme.test {}:admin/Admin+member/Member {}:admin/Admin",
            one.id, other.id
        );
        let of_eve = format!("eve@acme.test {}:member/Member", one.id);
        let of_bob = "bob@acme.test ".to_owned();
        assert_eq!(
            page(world, Page::first(10)).await,
            [of_eve.clone(), of_bob.clone(), of_ada.clone()]
        );
        let after = Page::after(1, eve.id.clone());
        assert_eq!(page(world, after).await, std::slice::from_ref(&of_bob));
        assert_eq!(
            page(world, Page::before(2, ada.id.clone())).await,
            [of_eve.clone(), of_bob]
        );
        assert_eq!(page(world, Page::after(9, ada.id.clone())).await, [""; 0]);

        let found = world
            .tx(async |tx| member::find(tx, &ada.id).await)
            .await
            .unwrap();
        assert_eq!(summary(&[found]), std::slice::from_ref(&of_ada));

        // An organization's own list does not show other memberships.
        let here = world
            .tx(async |tx| {
                assert_eq!(member::count_for_organization(tx, &one.id, 9).await?, 2);
                member::list_for_organization(tx, &one.id, &Page::first(10)).await
            })
            .await;
        let ada_here = format!("ada@acme.test {}:admin/Admin+member/Member", one.id);
        assert_eq!(summary(&here), [of_eve.clone(), ada_here.clone()]);
        let after = Page::after(1, eve.id.clone());
        let here = world
            .tx(async |tx| member::list_for_organization(tx, &one.id, &after).await)
            .await;
        assert_eq!(summary(&here), std::slice::from_ref(&ada_here));

        let ids = [ada.id.clone(), world.id(), eve.id];
        let (everywhere, at_other) = world
            .tx(async |tx| {
                assert_eq!(user::count(tx, 2).await?, 2, "no further than asked");
                Ok((
                    member::find_each(tx, &ids).await?,
                    member::find_each_in_organization(tx, &other.id, &ids).await?,
                ))
            })
            .await;
        assert_eq!(summary(&everywhere), [of_ada, of_eve]);
        let ada_there = format!("ada@acme.test {}:admin/Admin", other.id);
        assert_eq!(summary(&at_other), [ada_there], "in the order that was asked");
    })
    .await;
}
