//! Tests the arithmetic by which a bench decides whether a budget holds, and the order of its
//! turns. This file knows numbers only.

#[path = "../benches/measure/ratio.rs"]
mod ratio;
#[path = "../benches/measure/turns.rs"]
mod turns;

use ratio::Figure;

fn figure(median: f64, low: f64) -> Figure {
    Figure { median, min: 0.0, max: 9.0, low, high: 9.0 }
}

#[test]
fn figure_takes_the_middle_and_the_ends() {
    let odd = Figure::of(&[3.0, 1.0, 2.0]).unwrap();
    assert_eq!((odd.median, odd.min, odd.max), (2.0, 1.0, 3.0));
    let even = Figure::of(&[4.0, 1.0, 3.0, 2.0]).unwrap();
    assert_eq!((even.median, even.min, even.max), (2.5, 1.0, 4.0));
    assert_eq!(Figure::of(&[]), None);
}

#[test]
fn figure_interval_surrounds_the_median_and_repeats() {
    let samples: Vec<f64> = (0..301).map(|number| f64::from(number % 100)).collect();
    let figure = Figure::of(&samples).unwrap();
    assert!(figure.min < figure.low && figure.low < figure.median);
    assert!(figure.median < figure.high && figure.high < figure.max);
    assert_eq!(Figure::of(&samples), Some(figure));
    let constant = Figure::of(&[1.5; 31]).unwrap();
    assert_eq!((constant.low, constant.high), (1.5, 1.5));
}

#[test]
fn figure_interval_has_the_width_that_theory_gives() {
    // The order statistics whose ranks are n/2 -+ 1.96 sqrt(n)/2 bound the median of n samples.
    let samples: Vec<f64> = (0..401).map(f64::from).collect();
    let figure = Figure::of(&samples).unwrap();
    assert!((figure.low - 180.4).abs() < 4.0, "{figure:?}");
    assert!((figure.high - 219.6).abs() < 4.0, "{figure:?}");
}

#[test]
fn figure_holds_a_budget_only_if_interval_and_median_do() {
    for (median, low, budget, holds) in [
        (1.00, 0.99, 1.02, true),
        (1.02, 1.02, 1.02, true),
        (1.03, 1.02, 1.02, true),
        (1.04, 1.02, 1.02, false),
        (1.021, 1.0201, 1.02, false),
        (1.03, 0.90, 1.02, true),
        (2.00, 0.90, 1.02, false),
    ] {
        assert_eq!(
            figure(median, low).holds(budget),
            holds,
            "median {median}, from {low}, against {budget}"
        );
    }
}

#[test]
fn turns_let_everybody_be_started_at_every_place() {
    for servers in 1..=5 {
        for place in 0..servers {
            let mut there: Vec<usize> =
                (0..servers).filter_map(|time| turns::each(servers, time).nth(place)).collect();
            there.sort_unstable();
            assert_eq!(there, (0..servers).collect::<Vec<_>>(), "place {place} of {servers}");
        }
    }
    assert!(turns::each(3, 4).eq([1, 2, 0]));
}

#[test]
fn turns_cancel_a_steady_drift_and_let_everybody_begin() {
    for servers in 1..=5 {
        let mut first = Vec::new();
        for round in 0..servers {
            let order = turns::order(servers, round);
            first.push(order[0]);
            // The sum of the places of a server's turns is equal for all servers.
            let mut places = vec![0; servers];
            for (place, &server) in order.iter().enumerate() {
                places[server] += place;
            }
            assert_eq!(places, vec![2 * servers - 1; servers], "{order:?}");
        }
        first.sort_unstable();
        assert_eq!(first, (0..servers).collect::<Vec<_>>());
    }
    assert_eq!(turns::order(3, 1), [1, 2, 0, 0, 2, 1]);
}
