//! Prints the tables of `docs/forecast.md`: `cargo run --release -p heapbeat-forecast-simulation [SEEDS | FOLDER]`.
//!
//! They are the cost of the forecast, the confusion matrix, the accuracy of forecasts, and simulated weeks. 20 seeds take some minutes.
//! With a folder, its recordings are replayed instead.

use std::path::Path;

use heapbeat_forecast_simulation::accuracy::{Accuracy, Weeks, measure_cost};
use heapbeat_forecast_simulation::matrix::Matrix;
use heapbeat_forecast_simulation::recorded::Recordings;

fn main() -> std::io::Result<()> {
    let argument = std::env::args().nth(1).unwrap_or_else(|| "20".to_owned());
    let seeds = argument.parse();
    if seeds.is_err() {
        for total_only in [false, true] {
            let recordings = Recordings::of(Path::new(&argument), total_only)?;
            for (group, recordings) in &recordings.0 {
                for recording in recordings {
                    println!("{group:14} {recording}");
                }
            }
            println!(
                "\n{}\n{recordings}",
                if total_only { "Total only" } else { "With the figures of the heap" }
            );
        }
        return Ok(());
    }
    let seeds = seeds.unwrap_or(20);
    println!("{}\n", measure_cost());
    for total_only in [false, true] {
        println!("{}\n", if total_only { "One figure only, heap unknown" } else { "Heap known" });
        println!("{}", Matrix::measure(seeds, 5, total_only));
        println!("{}", Accuracy::measure(10 * seeds, total_only));
        println!("{}", Weeks::measure(seeds, total_only));
    }
    Ok(())
}
