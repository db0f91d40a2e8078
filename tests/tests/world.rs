//! Stories of a few nodes in one process, over real TLS and real stores.

use passerelle_domain::refusal::Code;
use passerelle_tests::world::{
    World, alert, has_alert, journal, raise, raise_as, receipted, times_accepted, wait_until,
};

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_reaches_all_neighbours_and_is_receipted() -> anyhow::Result<()> {
    let world = World::started(&["SN", "GM", "ML"]).await?;
    let (senegal, gambia, mali) = (world.node("SN")?, world.node("GM")?, world.node("ML")?);
    let id = raise(&senegal, alert("Convoy due")?).await?;
    wait_until("both neighbours hold it", || Ok(has_alert(&gambia, id)? && has_alert(&mali, id)?)).await?;
    wait_until("both have receipted it", || receipted(&senegal, id)).await?;
    assert_eq!((times_accepted(&gambia, id)?, times_accepted(&mali, id)?), (1, 1));
    drop((senegal, gambia, mali));
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_raised_twice_is_one_alert_and_its_id_cannot_say_something_else() -> anyhow::Result<()> {
    let world = World::started(&["SN", "GM"]).await?;
    let (senegal, gambia) = (world.node("SN")?, world.node("GM")?);
    let said = alert("Convoy due")?;
    let id = raise(&senegal, said.clone()).await?;
    let entries = journal(&senegal)?.len();
    assert_eq!(raise_as(&senegal, id, said).await, Ok(id), "the same again is answered the same");
    let other = raise_as(&senegal, id, alert("Convoy late")?).await;
    assert_eq!(other.map_err(|refusal| refusal.code), Err(Code::DuplicateId));
    wait_until("it is receipted", || receipted(&senegal, id)).await?;
    let issued = journal(&senegal)?
        .iter()
        .skip(entries)
        .filter(|entry| matches!(entry.body, passerelle_domain::entry::Body::Issued(_)))
        .count();
    assert_eq!((issued, times_accepted(&gambia, id)?), (0, 1));
    drop((senegal, gambia));
    world.end().await
}
