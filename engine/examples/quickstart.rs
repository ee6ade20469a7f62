//! Ten lines: put rows in, ask for the nearest ones that match.
#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use annvil::{Collection, Filter, Metric, Query, Record};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let books = Collection::builder(3).metric(Metric::Cosine).build()?;
    books.insert_batch(vec![
        Record::new("dune", vec![0.9, 0.1, 0.0]).with("year", 1965),
        Record::new("solaris", vec![0.8, 0.0, 0.3]).with("year", 1961),
        Record::new("emma", vec![0.0, 0.2, 0.9]).with("year", 1815),
    ])?;
    let recent = Query::new(&[1.0, 0.0, 0.1]).k(2).filter(Filter::at_least("year", 1900));
    for hit in books.search(&recent)? {
        println!("{} at {:.3}", hit.id, hit.distance);
    }
    Ok(())
}
