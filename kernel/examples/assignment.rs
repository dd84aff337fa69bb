//! Prints what the four strategies make of one uneven cluster, and how long
//! placing takes: `cargo run --release -p butterfly-kernel --example assignment`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use butterfly_kernel::assignment::partition::{Chain, Group, balanced};
use butterfly_kernel::assignment::{Facts, LayerSet, Layers, Links, Placement, Profile, Strategy, place, report};

const STRATEGIES: [(&str, Strategy); 4] = [
    ("round-robin", Strategy::RoundRobin),
    ("load-balanced", Strategy::LoadBalanced),
    ("topology-aware", Strategy::TopologyAware),
    ("hybrid", Strategy::Hybrid),
];
/// One gigabit a second within a zone, twenty megabits between zones.
const LINKS: Links = Links { within: 8_192, between: 409_600 };

fn main() {
    compare();
    measure();
}

/// 24 layers of uneven work on 12 members of three zones, f = 1.
fn compare() {
    let mut layers = Layers::even(24, 4_096).expect("24 layers are a model");
    layers.work = (0..24).map(|layer| if layer % 4 == 3 { 900 } else { 300 }).collect();
    let speeds = [1_000, 250, 500, 1_000, 250, 500, 1_000, 250, 2_000, 500, 2_000, 250];
    let members: Vec<Profile> =
        speeds.iter().zip([0, 1, 2].iter().cycle()).map(|(speed, zone)| member(*speed, *zone)).collect();
    let facts = |strategy| Facts {
        owners: 2,
        assigned: 3,
        stages: 6,
        layers: &layers,
        members: &members,
        links: LINKS,
        strategy,
    };

    println!("24 layers on 12 members in 3 zones, 6 stages of 2 owners and 1 reserve\n");
    println!("                  compute   with links   latency    between zones   stages of");
    println!("                 interval     interval   of a token        per token   one member");
    println!("─────────────────────────────────────────────────────────────────────────────────");
    for (name, strategy) in STRATEGIES {
        let placement = place(&facts(strategy), draws(1)).expect("twelve members suffice");
        let cost = report(&facts(strategy), &placement).expect("the same facts");
        println!(
            " {name:<14} {:>7.2} ms   {:>7.2} ms  {:>7.2} ms   {:>9} bytes   {:>10}",
            millis(cost.compute_interval),
            millis(cost.interval),
            millis(cost.latency),
            cost.bytes_between_zones,
            cost.most_stages,
        );
    }
    for (name, strategy) in STRATEGIES {
        println!("\n {name}");
        show(&place(&facts(strategy), draws(1)).expect("twelve members suffice"), &members);
    }
}

fn show(placement: &Placement, members: &[Profile]) {
    for stage in placement.stages() {
        let run = placement.layers(stage);
        print!("   stage {}  layers {:>2}..{:<2} ", stage.0, run.start, run.end);
        for (rank, node) in placement.assigned(stage).enumerate() {
            let profile = members[node.index()];
            let role = if rank < placement.owners(stage).len() { "owner" } else { "reserve" };
            print!("  {role} {:>2} (speed {:>4}, zone {})", node.0, profile.speed, profile.zone);
        }
        println!();
    }
}

/// 50 layers on 10 members, f = 0: the setting of the design's number.
fn measure() {
    let layers = Layers::even(50, 4_096).expect("50 layers are a model");
    let mut uneven = layers.clone();
    uneven.work = (0..50).map(|layer| 1_000 + 37 * (layer * layer % 23)).collect();
    let members: Vec<Profile> = (0..10).map(|node| member(400 + 130 * node, (node % 3) as u8)).collect();

    println!("\n50 layers on 10 members, one owner for each stage; the design asks for less than 0.58 ms\n");
    println!("                                          shortest      median");
    for (name, strategy) in STRATEGIES {
        let facts =
            Facts { owners: 1, assigned: 1, stages: 8, layers: &uneven, members: &members, links: LINKS, strategy };
        let took = times(|| _ = black_box(place(black_box(&facts), draws(1))));
        println!(" place, 8 stages, {name:<14}          {took}");
    }
    let groups: Vec<Group> = members
        .iter()
        .map(|member| Group { speed: member.speed, holds: LayerSet::ALL, receive: u64::from(LINKS.between) })
        .collect();
    let took = times(|| _ = black_box(balanced(&Chain::new(black_box(&uneven)), &groups)));
    println!(" optimal partition, 10 groups in order    {took}");
}

/// The shortest and the median of 201 calls.
fn times(call: impl Fn()) -> String {
    let mut times: Vec<Duration> = (0..201)
        .map(|_| {
            let start = Instant::now();
            call();
            start.elapsed()
        })
        .collect();
    times.sort();
    format!("{:>8.3} ms {:>8.3} ms", times[0].as_secs_f64() * 1e3, times[100].as_secs_f64() * 1e3)
}

fn member(speed: u32, zone: u8) -> Profile {
    Profile { zone, ..Profile::with_speed(speed) }
}

fn millis(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}

/// Numbers that stand in for committed randomness.
fn draws(seed: u64) -> impl FnMut(u64) -> u64 {
    move |round| fastrand::Rng::with_seed(seed << 32 | round).u64(..)
}
