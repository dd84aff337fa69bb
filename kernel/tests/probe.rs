mod cluster;
use cluster::*;
#[test]
fn probe() {
    println!("node {} bytes", std::mem::size_of::<TestNode>());
    for n in [7; 40] {
        let start = std::time::Instant::now();
        let plan = Plan { tokens_per_epoch: 1, stages: 3, ..Plan::of(n) };
        let mut world = World::with(plan.cluster(), 1, Network::CALM);
        let asked = request(&world.cluster, 1, &[1, 2, 3], 6);
        world.submit(0, asked);
        world.run(60_000_000, |world| world.all_committed(6));
        let sent: u64 = world.sent.values().sum();
        println!("n {n}: {:?} real, {} us virtual, {} sent", start.elapsed(), world.now, sent);
    }
}
