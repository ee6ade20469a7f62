//! `env`: the description of this machine, compiler and source tree.

use annvil_harness::env;
use serde_json::json;

use crate::cli::EnvArgs;
use crate::progress::out;
use crate::stop::Stop;

pub(crate) fn run(args: &EnvArgs) -> Result<(), Stop> {
    let root = env::workspace_root();
    let (host, toolchain) = (env::host(), env::toolchain());
    let source = root.as_deref().map(env::source).unwrap_or_default();
    if args.json {
        let all = json!({ "host": host, "toolchain": toolchain, "source": source });
        let text = serde_json::to_string_pretty(&all).map_err(Stop::failed)?;
        out(&format!("{text}\n"));
        return Ok(());
    }
    let or_unknown = |text: &str| if text.is_empty() { "unknown" } else { text }.to_owned();
    let mib = |bytes: u64| format!("{} MiB", bytes >> 20);
    let mut rows = vec![
        ("cpu", or_unknown(&host.cpu)),
        ("vendor", or_unknown(&host.vendor)),
        ("flags", host.flags.join(" ")),
        ("cores", host.cores.map_or_else(|| "unknown".into(), |n| n.to_string())),
        ("memory", host.memory_bytes.map_or_else(|| "unknown".into(), mib)),
    ];
    for c in &host.caches {
        let text = format!(
            "L{} {}, {} KiB, shared by {}",
            c.level,
            c.kind,
            c.size_bytes >> 10,
            c.shared_by
        );
        rows.push(("cache", text));
    }
    let dirty = if source.dirty { ", with changes" } else { "" };
    rows.extend([
        ("hypervisor", host.hypervisor.unwrap_or_else(|| "none seen".into())),
        ("os", host.os),
        ("kernel", or_unknown(&host.kernel)),
        ("microcode", host.microcode.unwrap_or_else(|| "unknown".into())),
        ("governor", host.governor.unwrap_or_else(|| "none".into())),
        ("load", host.load_avg.iter().map(f64::to_string).collect::<Vec<_>>().join(" ")),
        ("rustc", toolchain.rustc),
        ("llvm", toolchain.llvm),
        ("target", toolchain.target),
        ("rustflags", if toolchain.flags.is_empty() { "none".into() } else { toolchain.flags }),
        ("profile", toolchain.profile),
        ("revision", format!("{}{dirty}", or_unknown(&source.revision))),
    ]);
    let text: String = rows.iter().map(|(k, v)| format!("{k:<10} {v}\n")).collect();
    out(&text);
    Ok(())
}
