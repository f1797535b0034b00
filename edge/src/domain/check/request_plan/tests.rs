use proptest::prelude::*;

use super::*;
use crate::monitor_config::REGIONS;

const BUDGET: RoundBudget = RoundBudget { local: 45, regional: 45 };

/// Plans monitors that need so many requests each, without regions.
fn plan(requests: &[u32]) -> RequestPlan {
    let demands: Vec<_> =
        requests.iter().map(|requests| ProbeDemand { requests: *requests, regions: &[] }).collect();
    plan_requests(&demands, BUDGET)
}

#[test]
fn requests_are_kept_for_as_many_monitors_as_fit() {
    // (the requests that each monitor needs, how many are granted, how many requests are left)
    let cases: [(&str, Vec<u32>, usize, u32); 6] = [
        ("none", vec![], 0, 45),
        ("all fit", vec![1; 40], 40, 5),
        ("each redirects once", vec![2; 40], 22, 1),
        ("each redirects as often as a probe follows", vec![6; 40], 7, 3),
        ("one that is unknown is one request", vec![0; 3], 3, 42),
        ("smaller ones fill what a large one leaves", [vec![6; 7], vec![6], vec![1; 5]].concat(), 10, 0),
    ];
    for (name, requests, granted, spare) in cases {
        let plan = plan(&requests);
        assert_eq!((plan.granted.len(), plan.spare), (granted, spare), "{name}");
        assert_eq!(plan.granted.len() + plan.left_out.len(), requests.len(), "{name}");
    }
}

#[test]
fn a_region_costs_one_request_of_the_hub_and_as_many_as_the_monitor_in_the_region() {
    let demands = [ProbeDemand { requests: 6, regions: &REGIONS[..2] }; 10];
    let plan = plan_requests(&demands, BUDGET);
    assert_eq!(plan.regions, REGIONS[..2]);
    // Seven use 42 requests in each region, and 44 of the hub.
    assert_eq!((plan.granted.len(), plan.spare), (7, 1));
    let local = RoundBudget { local: 100, regional: 45 };
    assert_eq!(plan_requests(&demands, local).granted.len(), 7, "the region's own requests");
}

#[test]
fn what_is_kept_for_one_monitor_is_never_spent_by_another() {
    use RequestPurpose::{Extra, Probe};
    let pool = RequestPool::new(4, 2);
    let (first, second) = (pool.allow(1), pool.allow(2));
    assert!(first.spend(Probe), "its own");
    assert!(first.spend(Extra) && first.spend(Extra), "two are left besides those of the references");
    assert!(!first.spend(Extra), "the last two are for the references");
    assert!(
        first.spend(Probe) && first.spend(Probe) && !first.spend(Probe),
        "a redirect may use those as well"
    );
    assert_eq!((first.sent(), pool.sent(), pool.spare()), (5, 5, 0));
    assert!(second.spend(Probe), "and what is kept for the second is still there");
    drop(second);
    assert_eq!((pool.sent(), pool.spare()), (6, 1), "what it did not send is left for all");
    assert!(pool.spend(Probe) && !pool.spend(Probe));
}

proptest! {
    #[test]
    fn no_round_sends_more_than_it_may(
        demands in prop::collection::vec((0_u32..9, prop::collection::vec(0_usize..9, 0..=5)), 0..60),
        spends in prop::collection::vec((0_usize..60, any::<bool>()), 0..200),
        local in 11_u32..60,
    ) {
        let lists: Vec<(u32, Vec<&'static str>)> = demands
            .into_iter()
            .map(|(requests, mut regions)| {
                regions.sort_unstable();
                regions.dedup();
                (requests, regions.into_iter().map(|region| REGIONS[region]).collect())
            })
            .collect();
        let demands: Vec<_> =
            lists.iter().map(|(requests, regions)| ProbeDemand { requests: *requests, regions }).collect();
        let plan = plan_requests(&demands, RoundBudget { local, regional: 45 });
        let mut all: Vec<usize> = plan.granted.iter().map(|(index, _)| *index).chain(plan.left_out.clone()).collect();
        all.sort_unstable();
        prop_assert_eq!(all, (0..demands.len()).collect::<Vec<_>>(), "each is granted or left out");
        prop_assert!(demands.is_empty() || plan.granted.first().is_some_and(|(index, _)| *index == 0));
        for region in REGIONS {
            let there = plan.granted.iter().filter(|(index, _)| demands[*index].regions.contains(&region));
            let requests: u32 = there.map(|(_, requests)| requests).sum();
            prop_assert!(requests <= 45 && (requests > 0) == plan.regions.contains(&region));
        }
        // However the probes spend, the hub sends no more, and each can send its first request at any time.
        let pool = RequestPool::new(plan.spare, 2);
        let allowed: Vec<_> = plan.granted.iter().map(|(_, requests)| pool.allow(*requests)).collect();
        for (index, is_extra) in spends {
            if let Some(allowance) = allowed.get(index) {
                let purpose = if is_extra { RequestPurpose::Extra } else { RequestPurpose::Probe };
                if !allowance.spend(purpose) {
                    prop_assert!(allowance.sent() > 0);
                }
            }
        }
        for allowance in allowed.iter().filter(|it| it.sent() == 0) {
            prop_assert!(allowance.spend(RequestPurpose::Probe));
        }
        prop_assert!(pool.sent() + u32::try_from(plan.regions.len()).unwrap() <= local);
    }
}
