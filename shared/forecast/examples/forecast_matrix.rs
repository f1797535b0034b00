//! What the forecaster says of simulated processes whose truth is known.
//!
//! `cargo run --release -p heapbeat-forecast --example forecast_matrix [SEEDS]` prints the tables of `docs/forecast.md`:
//! what it costs, the confusion matrix, how far off the forecasts are, and simulated weeks (some minutes for 20 seeds).

#[path = "../tests/scenarios/figures.rs"]
mod figures;
#[path = "../tests/scenarios/matrix.rs"]
mod matrix;
#[path = "../tests/scenarios/mod.rs"]
mod scenarios;

fn main() {
    let seeds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(20);
    println!("{}\n", figures::cost());
    for one_figure in [false, true] {
        println!("{}\n", if one_figure { "One figure only, heap unknown" } else { "Heap known" });
        println!("{}", matrix::Matrix::run(seeds, 5, one_figure));
        println!("{}", figures::Accuracy::run(10 * seeds, one_figure));
        println!("{}", figures::Weeks::run(seeds, one_figure));
    }
}
