//! Prints the tables of `docs/forecast.md`: `cargo run --release -p heapbeat-forecast-simulation [SEEDS]`.
//!
//! They are the cost of the forecast, the confusion matrix, the accuracy of forecasts, and simulated weeks. 20 seeds take some minutes.

use heapbeat_forecast_simulation::accuracy::{Accuracy, Weeks, measure_cost};
use heapbeat_forecast_simulation::matrix::Matrix;

fn main() {
    let seeds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(20);
    println!("{}\n", measure_cost());
    for total_only in [false, true] {
        println!("{}\n", if total_only { "One figure only, heap unknown" } else { "Heap known" });
        println!("{}", Matrix::measure(seeds, 5, total_only));
        println!("{}", Accuracy::measure(10 * seeds, total_only));
        println!("{}", Weeks::measure(seeds, total_only));
    }
}
