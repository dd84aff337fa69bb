use butterfly_model_check::conform;
use butterfly_model_check::models::*;
use butterfly_model_check::world::setting::*;
use butterfly_model_check::world::World;
use butterfly_model_check::explore::{Until, graph::Graph};
use butterfly_model_check::transcription::{configuration, agreement::Specification};
fn main() {
    for name in ["n4-p1","n4-p1-slow","n4-p1-slow-unreduced","n4-p1-byzantine-first","n4-p1-byzantine-second","n4-p0","n4-p0-any-strong","n4-p1-three-views","n4-p1-slow-three-views","broken-three-replicas","broken-keeps-equivocator","broken-hides-lock","broken-uncertified-report","n4-p0-three-views","n4-p0-any-strong-three-views"] {
        let c = configuration::read(name).unwrap();
        let s = Specification::new(c);
        let until = if name.starts_with("broken") { Until::Violation } else { Until::End };
        let g = Graph::explore(&s, until, &mut |_| {}, |_, _, _, _, _| {});
        let e = g.exploration(&s);
        println!("{name}: {} {} viol {:?}", e.distinct, e.depth, e.violations.iter().map(|v| v.run.path.len()+1).collect::<Vec<_>>());
    }
    for entry in models() {
        if let Expect::Violates{..} = entry.expect { continue }
        if std::env::args().nth(1).is_some_and(|f| !entry.name.contains(&f)) { continue }
        let t = std::time::Instant::now();
        let c = match entry.subject {
            Subject::Records { agreement, options } if !entry.name.starts_with("p") => conform::from_records(Setting::new(agreement.parameters(Delivery::Quorum, Reports::Single)), options, &mut |_| {}),
            Subject::Receivers { agreement, delivery, reports } if entry.name=="p1-faulty-follows" => conform::from_receivers(&World::new(agreement.parameters(delivery, reports)), &mut |_| {}),
            _ => continue,
        };
        println!("{}: {} {} stutter {} compound {} {:?} exempt {} {:.1}", entry.name, c.states, c.transitions, c.stutters, c.compound, c.actions, c.exempt, t.elapsed().as_secs_f64());
        if let Some(d) = c.departure { println!("   {:?} {} {}", d.direction, d.steps, d.step); for l in d.story { println!("      {l}"); } }
    }
}
