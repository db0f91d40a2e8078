//! What each scenario does with two nodes at the ends of a line, and the figures that come of it.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures_util::future::try_join_all;
use passerelle_proto::v1::alert_service_client::AlertServiceClient;

use super::{
    Args, Scenario,
    emulator::Tally,
    measure::{Arrivals, introduce, raise_at, raise_one, resent_by_kernel, until_link},
    profile::Profile,
    report::{Figure, Unit},
    world::{Joined, release_package, until_released},
};
use crate::{
    bench::{
        alerts::{Filling, Maker},
        load::raise_all,
        scenarios::percentile,
    },
    world::now,
};

/// Size of an alert: its canonical CBOR, before envelope and signature.
const SIZE: usize = 1_024;
/// A package of this size, and what seals and frames it, is just below the limit of 5 MiB.
const LETTER_BYTES: usize = 5_000_000;
/// Callers that raise a backlog.
const CALLERS: usize = 16;
/// How long one alert may take where nothing else is in its way, outages included.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a backlog may take.
const BACKLOG_PATIENCE: Duration = Duration::from_secs(900);
/// After it, the last receipts have come.
const SETTLED: Duration = Duration::from_secs(3);

/// Measures one scenario on one profile.
pub(super) async fn run(args: &Args, profile: Profile, scenario: Scenario) -> anyhow::Result<Vec<Figure>> {
    match scenario {
        Scenario::FirstContact => first_contact(args, profile).await,
        Scenario::Warm => warm(args, profile).await,
        Scenario::Cold => cold(args, profile).await,
        Scenario::UrgentBehindRoutine => urgent_behind_routine(args, profile).await,
        Scenario::UrgentBehindPackage => urgent_behind_package(args, profile).await,
        Scenario::Backlog => backlog(args, profile, Filling::Bytes).await,
        Scenario::BacklogText => backlog(args, profile, Filling::CapText).await,
        Scenario::Outage => outage(args, profile).await,
        Scenario::HalfOpen => half_open(args, profile).await,
    }
}

fn routine() -> anyhow::Result<Maker> {
    Maker::new(SIZE, Filling::Bytes, now())
}

/// Median, 99th percentile and greatest of the times from raise to stored at the peer.
fn times(times: Vec<Duration>) -> Vec<Figure> {
    millis(["stored_p50", "stored_p99", "stored_max"], times)
}

/// Median, 99th percentile and greatest of some times, in milliseconds.
fn millis(names: [&'static str; 3], mut times: Vec<Duration>) -> Vec<Figure> {
    times.sort_unstable();
    let samples = times.len();
    let figure = |(name, percent)| Figure { name, value: percentile(&times, percent), unit: Unit::Millis, samples };
    names.into_iter().zip([50, 99, 100]).map(figure).collect()
}

/// Median and greatest of some times, in seconds.
fn seconds(names: [&'static str; 2], mut times: Vec<Duration>) -> Vec<Figure> {
    times.sort_unstable();
    let samples = times.len();
    let value = |percent| percentile(&times, percent) / 1_000.0;
    let figure = |name, percent| Figure { name, value: value(percent), unit: Unit::Seconds, samples };
    vec![figure(names[0], 50), figure(names[1], 100)]
}

fn float(number: u64) -> f64 {
    number as f64
}

/// What a line carried, both ways.
fn carried(joined: &Joined, before: [Tally; 2]) -> anyhow::Result<Vec<Figure>> {
    let [there, back] = joined.ends.line.tallies();
    let (there, back) = (there.since(before[0]), back.since(before[1]));
    let [of_a, of_b] = joined.ends.names();
    let kernel = resent_by_kernel(&of_a)? + resent_by_kernel(&of_b)?;
    let count = |name, value| Figure { name, value: float(value), unit: Unit::Count, samples: 1 };
    let bytes = |name, value| Figure { name, value: float(value), unit: Unit::Bytes, samples: 1 };
    Ok(vec![
        bytes("bytes_to_peer", there.bytes),
        bytes("bytes_from_peer", back.bytes),
        bytes("tcp_bytes_sent_again", there.resent + back.resent),
        bytes("tcp_bytes_sent_again_by_kernel", kernel),
        count("packets_to_peer", there.packets),
        count("packets_from_peer", back.packets),
        count("packets_lost", there.lost + back.lost),
        count("packets_overflowed", there.overflowed + back.overflowed),
        count("packets_cut", there.cut + back.cut),
    ])
}

/// One alert to a peer that A gets to know at this moment.
async fn first_contact(args: &Args, profile: Profile) -> anyhow::Result<Vec<Figure>> {
    let mut joined = Joined::prepare(profile, args.seed, false)?;
    joined.start_nodes().await?;
    let mut taken = Vec::new();
    let runs = args.runs_of_a_meeting(profile);
    for run in 0..runs {
        if run > 0 {
            joined.renew().await?;
        }
        let mut arrivals = Arrivals::at(&joined.pair.b).await?;
        let met = Instant::now();
        introduce(&joined.pair.a, &joined.pair.b).await?;
        let (id, _) = raise_one(&joined.pair.a, &routine()?).await?;
        taken.push(arrivals.of(&id, PATIENCE).await?.saturating_duration_since(met));
    }
    Ok(times(taken))
}

/// Single alerts over a link that is up, at a steady pace.
async fn warm(args: &Args, profile: Profile) -> anyhow::Result<Vec<Figure>> {
    let joined = Joined::start(profile, args.seed).await?;
    let mut arrivals = Arrivals::at(&joined.pair.b).await?;
    let maker = routine()?;
    let mut client = AlertServiceClient::new(joined.pair.a.channel().await?);
    let (id, _) = raise_at(&mut client, &maker).await?;
    arrivals.of(&id, PATIENCE).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = joined.ends.line.tallies();
    joined.ends.line.lateness();
    let began = Instant::now();
    let mut pace = tokio::time::interval(args.warm_pace(profile));
    let mut raised = Vec::new();
    for _ in 0..args.runs_when_warm(profile) {
        pace.tick().await;
        raised.push(raise_at(&mut client, &maker).await?);
    }
    let mut taken = Vec::new();
    for (id, at) in &raised {
        taken.push(arrivals.of(id, PATIENCE).await?.saturating_duration_since(*at));
    }
    let mut figures = times(taken);
    figures.extend(millis(["line_late_p50", "line_late_p99", "line_late_max"], joined.ends.line.lateness()));
    if profile == Profile::Cut {
        figures.extend(seconds(
            ["return_to_first_p50", "return_to_first_max"],
            after_returns(&joined, &mut arrivals, began),
        ));
    }
    tokio::time::sleep(SETTLED).await;
    figures.extend(carried(&joined, before)?);
    Ok(figures)
}

/// From each return of a line that comes and goes until the first arrival after it.
fn after_returns(joined: &Joined, arrivals: &mut Arrivals, began: Instant) -> Vec<Duration> {
    let all = arrivals.instants();
    let last = all.last().copied().unwrap_or(began);
    let returns = joined.ends.line.returns(last).into_iter().filter(|at| *at > began);
    let first = |at: Instant| all.iter().find(|arrived| **arrived > at).map(|arrived| *arrived - at);
    returns.filter_map(first).collect()
}

/// One alert at a node that has just started, whose peer it knows.
async fn cold(args: &Args, profile: Profile) -> anyhow::Result<Vec<Figure>> {
    let mut joined = Joined::start(profile, args.seed).await?;
    let mut arrivals = Arrivals::at(&joined.pair.b).await?;
    let mut taken = Vec::new();
    for _ in 0..args.runs_of_a_meeting(profile) {
        joined.pair.a.stop().await?;
        // What says goodbye is on its way no more.
        tokio::time::sleep(Duration::from_secs(2)).await;
        joined.pair.a.start().await?;
        let (id, at) = raise_one(&joined.pair.a, &routine()?).await?;
        taken.push(arrivals.of(&id, PATIENCE).await?.saturating_duration_since(at));
    }
    Ok(times(taken))
}

/// Urgent alerts, one after another, while `waits` says that what they overtake still waits.
async fn overtaking(
    joined: &Joined,
    arrivals: &mut Arrivals,
    gap: Duration,
    mut waits: impl FnMut(&mut Arrivals, usize) -> bool,
) -> anyhow::Result<Vec<Duration>> {
    const SAMPLES: usize = 20;
    let maker = Maker::urgent(SIZE, now())?;
    let mut client = AlertServiceClient::new(joined.pair.a.channel().await?);
    let mut taken = Vec::new();
    while taken.len() < SAMPLES {
        let (id, at) = raise_at(&mut client, &maker).await?;
        let arrived = arrivals.of(&id, PATIENCE).await?;
        // One that had nothing to overtake says nothing.
        if !taken.is_empty() && !waits(arrivals, taken.len()) {
            break;
        }
        taken.push(arrived.saturating_duration_since(at));
        tokio::time::sleep(gap).await;
    }
    eprintln!("urgent alerts took {taken:.2?}");
    Ok(taken)
}

async fn urgent_behind_routine(args: &Args, profile: Profile) -> anyhow::Result<Vec<Figure>> {
    let mut joined = Joined::start(profile, args.seed).await?;
    let mut arrivals = Arrivals::at(&joined.pair.b).await?;
    let count = args.backlog;
    raise_all(&mut joined.pair, &routine()?, CALLERS, count).await?;
    let all_take = Duration::from_secs_f64(float(count * SIZE as u64 * 8) / float(profile.line().rate));
    let waits = |arrivals: &mut Arrivals, urgent| ((arrivals.so_far() - urgent) as u64) < count;
    Ok(times(overtaking(&joined, &mut arrivals, all_take / 30, waits).await?))
}

async fn urgent_behind_package(args: &Args, profile: Profile) -> anyhow::Result<Vec<Figure>> {
    let joined = Joined::start(profile, args.seed).await?;
    let mut arrivals = Arrivals::at(&joined.pair.b).await?;
    let letter = if args.quick { LETTER_BYTES / 10 } else { LETTER_BYTES };
    let before = joined.ends.line.tallies();
    let id = release_package(&joined, letter).await?;
    let released = Instant::now();
    let all_take = Duration::from_secs_f64(float(letter as u64 * 8) / float(profile.line().rate));
    let line = &joined.ends.line;
    let waits = |_: &mut Arrivals, _| line.tallies()[0].since(before[0]).bytes < letter as u64;
    let gap = (all_take / 30).min(Duration::from_secs(5));
    let mut figures = times(overtaking(&joined, &mut arrivals, gap, waits).await?);
    if all_take < Duration::from_secs(60) {
        until_released(&joined, &id).await?;
        let value = released.elapsed().as_secs_f64();
        figures.push(Figure { name: "package_stored", value, unit: Unit::Seconds, samples: 1 });
    }
    Ok(figures)
}

/// Many alerts at once, over a link that is up.
async fn backlog(args: &Args, profile: Profile, filling: Filling) -> anyhow::Result<Vec<Figure>> {
    let mut joined = Joined::start(profile, args.seed).await?;
    let mut arrivals = Arrivals::at(&joined.pair.b).await?;
    let maker = Maker::new(SIZE, filling, now())?;
    let (count, before) = (args.backlog, joined.ends.line.tallies());
    let began = Instant::now();
    raise_all(&mut joined.pair, &maker, CALLERS, count).await?;
    let raised = began.elapsed();
    let last = arrivals.count(usize::try_from(count)?, BACKLOG_PATIENCE).await?;
    tokio::time::sleep(SETTLED).await;
    let [there, _] = joined.ends.line.tallies();
    let per_byte = float(there.since(before[0]).bytes) / float(count * SIZE as u64);
    let seconds = |name, time: Duration| Figure { name, value: time.as_secs_f64(), unit: Unit::Seconds, samples: 1 };
    let mut figures = vec![
        seconds("all_stored", last.saturating_duration_since(began)),
        seconds("all_raised", raised),
        Figure { name: "line_bytes_per_payload_byte", value: per_byte, unit: Unit::Ratio, samples: 1 },
    ];
    figures.extend(carried(&joined, before)?);
    Ok(figures)
}

/// The line is down for long while something waits, and comes back: several lines at once, each in its own moment.
async fn outage(args: &Args, profile: Profile) -> anyhow::Result<Vec<Figure>> {
    let lasts = Duration::from_secs(args.outage(profile));
    let once = |run: u64| async move {
        let joined = Joined::start(profile, args.seed + run).await?;
        let mut arrivals = Arrivals::at(&joined.pair.b).await?;
        let (id, _) = raise_one(&joined.pair.a, &routine()?).await?;
        arrivals.of(&id, PATIENCE).await?;
        tokio::time::sleep(SETTLED).await;
        joined.ends.line.set_down(true);
        // Every other of them waits for an urgent alert, and all have a routine one; each is down for a little longer.
        let (id, _) = raise_one(&joined.pair.a, &routine()?).await?;
        if run % 2 == 1 {
            raise_one(&joined.pair.a, &Maker::urgent(SIZE, now())?).await?;
        }
        let seen = arrivals.so_far();
        tokio::time::sleep(lasts + Duration::from_millis(1_300 * run)).await;
        anyhow::ensure!(arrivals.so_far() == seen, "something came through a line that was down");
        joined.ends.line.set_down(false);
        let back = Instant::now();
        let first = arrivals.count(seen + 1, PATIENCE).await?;
        let routine = arrivals.of(&id, PATIENCE).await?;
        anyhow::Ok((first.saturating_duration_since(back), routine.saturating_duration_since(back)))
    };
    let measured = try_join_all((0..args.runs_of_an_outage()).map(once)).await?;
    eprintln!("from the line's return to the first alert, and to the routine one: {measured:.2?}");
    let (first, routine) = measured.into_iter().unzip();
    let mut figures = seconds(["first_stored_p50", "first_stored_max"], first);
    figures.extend(seconds(["routine_stored_p50", "routine_stored_max"], routine));
    figures.push(Figure { name: "outage", value: lasts.as_secs_f64(), unit: Unit::Seconds, samples: 1 });
    Ok(figures)
}

/// The line swallows everything, without a word, while something waits: when the sender knows.
async fn half_open(args: &Args, profile: Profile) -> anyhow::Result<Vec<Figure>> {
    let once = |run: u64| async move {
        let joined = Joined::start(profile, args.seed + run).await?;
        let mut arrivals = Arrivals::at(&joined.pair.b).await?;
        let (id, _) = raise_one(&joined.pair.a, &routine()?).await?;
        arrivals.of(&id, PATIENCE).await?;
        tokio::time::sleep(SETTLED).await;
        joined.ends.line.set_down(true);
        let (_, at) = raise_one(&joined.pair.a, &routine()?).await?;
        let known = until_link(&joined.pair.a, false, PATIENCE).await.context("a dead link is not noticed")?;
        anyhow::Ok(known.saturating_duration_since(at))
    };
    let measured = try_join_all((0..args.runs_of_an_outage()).map(once)).await?;
    Ok(seconds(["noticed_p50", "noticed_max"], measured))
}
