//! `kernels`: the registry.

use annvil_kernels::winners::WINNERS;
use serde_json::json;

use crate::cli::KernelsArgs;
use crate::progress::out;
use crate::stop::Stop;

pub(crate) fn run(args: &KernelsArgs) -> Result<(), Stop> {
    let mut list = Vec::new();
    let mut text = String::new();
    for op in annvil_kernels::ops() {
        text += &format!("{}\n", op.path());
        for v in op.variants() {
            let wins: Vec<String> = WINNERS
                .iter()
                .filter(|w| w.op == op.path() && w.variant == v.name)
                .map(|w| {
                    let where_ = format!("{:?}", w.residence).to_lowercase();
                    format!("dim {}-{} {where_} {}", w.min_dim, w.max_dim, w.level)
                })
                .collect();
            let here = v.not_run.as_deref().map_or("yes".to_owned(), |why| format!("no: {why}"));
            let winner = if wins.is_empty() {
                String::new()
            } else {
                format!("  wins at {}", wins.join("; "))
            };
            text += &format!("  {:<22} {:<8} {:<8} {here}{winner}\n", v.name, v.level, v.technique);
            list.push(json!({
                "op": op.path(),
                "variant": v.name,
                "level": v.level.to_string(),
                "technique": v.technique.to_string(),
                "available": v.not_run.is_none(),
                "not_run": v.not_run,
                "winner": wins,
            }));
        }
    }
    if args.json {
        text = serde_json::to_string_pretty(&list).map_err(Stop::failed)? + "\n";
    }
    out(&text);
    Ok(())
}
