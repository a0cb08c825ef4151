//! Tenants come and go, and see nothing of each other.

use actors::service::Page;

use crate::test_tenant::{OPERATOR, TestTenant, mins};
use actors::ChangeError;

#[tokio::test(start_paused = true)]
async fn a_deleted_tenant_stops_and_one_of_the_same_id_sees_nothing_of_it() {
    let acme = TestTenant::new().await;
    let user = acme.create_user("ada").await;
    acme.disable(user).await;
    let record = acme.snapshot().tenant(&"acme".parse().unwrap()).unwrap().unwrap();

    acme.service.delete_tenant(&record.id, OPERATOR).await.unwrap();

    assert!(acme.service.live_tenants().is_empty());
    assert!(matches!(acme.service.tenant(&record).await, Err(ChangeError::NotFound)));
    let refused = acme.set(user, "title", "x".into()).await;
    assert!(matches!(refused, Err(ChangeError::Unavailable { .. } | ChangeError::NotFound)));

    let refused = acme.tenant.reconcile(true, Page::default(), OPERATOR).await;
    assert!(matches!(refused, Err(ChangeError::Unavailable { .. })), "{refused:?}");

    let anew = TestTenant::create(acme.service.clone(), "acme").await;
    assert_ne!(anew.tenant.key(), acme.tenant.key());
    assert!(anew.snapshot().account(anew.tenant.key(), user).unwrap().is_none());
    assert!(anew.feed().is_empty() && anew.waves().is_empty());
    anew.create_user("ada").await;
    anew.advance(mins(1)).await;
    assert_eq!(anew.service.live_tenants().len(), 1);
    assert!(acme.snapshot().tenants_to_purge().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_one_tenant_does_another_does_not_see() {
    let acme = TestTenant::new().await;
    let globex = TestTenant::create(acme.service.clone(), "globex").await;

    let user = acme.create_user("ada").await;
    globex.create_user("ada").await;

    let foreign = globex.set(user, "title", "x".into()).await;
    assert!(matches!(foreign, Err(ChangeError::NotFound)));
    assert_eq!((acme.feed().len(), globex.feed().len()), (1, 1));
}
