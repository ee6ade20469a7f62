//! The machine, the compiler and the source tree, as a record holds them.
//!
//! Whatever a system does not tell is left empty; nothing is guessed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use annvil_reports::schema::{Cache, Host, Source, Toolchain};

/// Instruction-set flags that matter to kernels; a prefix of what the system prints.
const FLAGS: [&str; 13] = [
    "sse2", "sse4_1", "sse4_2", "ssse3", "avx", "fma", "f16c", "bmi", "popcnt", "amx", "asimd",
    "sve", "i8mm",
];

/// The machine.
pub fn host() -> Host {
    let info = read("/proc/cpuinfo");
    let field = |name: &str| cpu_field(&info, name);
    Host {
        cpu: field("model name").unwrap_or_default(),
        vendor: field("vendor_id").or_else(|| field("CPU implementer")).unwrap_or_default(),
        family: field("cpu family").and_then(|v| v.parse().ok()),
        model: field("model").and_then(|v| v.parse().ok()),
        flags: kernel_flags(&field("flags").or_else(|| field("Features")).unwrap_or_default()),
        caches: caches(),
        memory_bytes: memory_bytes(&read("/proc/meminfo"), "MemTotal"),
        cores: std::thread::available_parallelism().ok().and_then(|n| u32::try_from(n.get()).ok()),
        hypervisor: hypervisor(&info),
        os: os_name(),
        kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        microcode: field("microcode"),
        governor: line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        steal_pct: None,
        load_avg: read("/proc/loadavg")
            .split_whitespace()
            .take(3)
            .filter_map(|v| v.parse().ok())
            .collect(),
    }
}

/// The compiler that built this binary, and how.
pub fn toolchain() -> Toolchain {
    Toolchain {
        rustc: env!("ANNVIL_BUILD_RUSTC").to_owned(),
        llvm: env!("ANNVIL_BUILD_LLVM").to_owned(),
        target: env!("ANNVIL_BUILD_TARGET").to_owned(),
        flags: env!("ANNVIL_BUILD_RUSTFLAGS").to_owned(),
        profile: env!("ANNVIL_BUILD_PROFILE").to_owned(),
    }
}

/// A short name of the build: the CPU it was compiled for, or `base` for the target's own.
pub fn build_name() -> String {
    let flags = env!("ANNVIL_BUILD_RUSTFLAGS");
    flags
        .split_once("target-cpu=")
        .and_then(|(_, rest)| rest.split_whitespace().next())
        .unwrap_or("base")
        .to_owned()
}

/// What to add to a command so that it measures this build: ` --build v3`, ` --rivals`, or nothing.
pub fn build_option() -> String {
    let cpu = match build_name().as_str() {
        "base" => String::new(),
        cpu => format!(" --build {}", cpu.strip_prefix("x86-64-").unwrap_or(cpu)),
    };
    let rivals = if cfg!(feature = "rivals") { " --rivals" } else { "" };
    format!("{cpu}{rivals}")
}

/// The revision of the tree at `root`; empty where there is no git or no repository.
pub fn source(root: &Path) -> Source {
    let git = |args: &[&str]| {
        Command::new("git")
            .arg("-C")
            .arg(root)
            .args(args)
            .output()
            .ok()
            .filter(|o| o.status.success())
    };
    let revision = git(&["rev-parse", "HEAD"])
        .map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned())
        .unwrap_or_default();
    let dirty = git(&["status", "--porcelain"]).is_some_and(|o| !o.stdout.is_empty());
    Source { revision, dirty }
}

/// The folder of the workspace's manifest: the nearest one at or above the current folder.
pub fn workspace_root() -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    here.ancestors()
        .find(|dir| {
            fs::read_to_string(dir.join("Cargo.toml"))
                .is_ok_and(|text| text.contains("[workspace]"))
        })
        .map(Path::to_path_buf)
}

/// Free memory that can be had without swapping, bytes.
pub fn memory_available() -> Option<u64> {
    memory_bytes(&read("/proc/meminfo"), "MemAvailable")
}

/// The caches of the first core.
pub fn caches() -> Vec<Cache> {
    let root = Path::new("/sys/devices/system/cpu/cpu0/cache");
    (0..16)
        .map(|i| root.join(format!("index{i}")))
        .take_while(|dir| dir.exists())
        .filter_map(|dir| {
            let text = |name: &str| fs::read_to_string(dir.join(name)).ok();
            Some(Cache {
                level: text("level")?.trim().parse().ok()?,
                kind: text("type")?.trim().to_lowercase(),
                size_bytes: size_with_suffix(text("size")?.trim())?,
                shared_by: text("shared_cpu_list").map_or(1, |list| cores_in_list(list.trim())),
            })
        })
        .collect()
}

/// CPU time that was stolen by the hypervisor and CPU time in all, since boot, in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuTicks {
    steal: u64,
    total: u64,
}

impl CpuTicks {
    /// The counters now; `None` where the system has none.
    pub fn now() -> Option<Self> {
        Self::parse(&read("/proc/stat"))
    }

    fn parse(stat: &str) -> Option<Self> {
        let ticks: Vec<u64> = stat
            .lines()
            .next()?
            .strip_prefix("cpu ")?
            .split_whitespace()
            .map_while(|v| v.parse().ok())
            .collect();
        // user nice system idle iowait irq softirq steal; guest time is part of user.
        Some(Self { steal: *ticks.get(7)?, total: ticks[..8].iter().sum() })
    }

    /// Percent of all CPU time that was stolen since `earlier`.
    pub fn steal_pct_since(self, earlier: Self) -> Option<f64> {
        let total = self.total.checked_sub(earlier.total).filter(|t| *t > 0)?;
        Some(100.0 * self.steal.saturating_sub(earlier.steal) as f64 / total as f64)
    }
}

/// The current time, RFC 3339, UTC, whole seconds.
pub fn now_rfc3339() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    rfc3339(seconds)
}

/// Civil date from days since 1970 (era arithmetic on years that begin in March).
fn rfc3339(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let z = days + 719_468;
    let era = z / 146_097;
    let doe = z % 146_097;
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let shifted = (5 * doy + 2) / 153;
    let day = doy - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = yoe + era * 400 + u64::from(month <= 2);
    let (h, m, s) = (second / 3_600, second % 3_600 / 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}Z")
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn line(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|s| s.trim().to_owned()).filter(|s| !s.is_empty())
}

/// The first value of a field of `/proc/cpuinfo`.
fn cpu_field(info: &str, name: &str) -> Option<String> {
    info.lines().find_map(|l| {
        let (key, value) = l.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}

fn kernel_flags(all: &str) -> Vec<String> {
    let wanted = |flag: &&str| FLAGS.iter().any(|f| flag.starts_with(f));
    let mut flags: Vec<String> = all.split_whitespace().filter(wanted).map(str::to_owned).collect();
    flags.sort_unstable();
    flags.dedup();
    flags
}

fn hypervisor(cpuinfo: &str) -> Option<String> {
    let flag = cpu_field(cpuinfo, "flags")?.split_whitespace().any(|f| f == "hypervisor");
    flag.then(|| {
        let vendor = line("/sys/class/dmi/id/sys_vendor");
        let product = line("/sys/class/dmi/id/product_name");
        let named: Vec<String> = vendor.into_iter().chain(product).collect();
        // A guest without firmware tables still shows the paravirtual clock it is offered.
        let clocks = read("/sys/devices/system/clocksource/clocksource0/available_clocksource");
        let clock = [("kvm", "KVM"), ("hyperv", "Hyper-V"), ("xen", "Xen")]
            .iter()
            .find(|(word, _)| clocks.contains(word))
            .map_or("present, unnamed", |(_, name)| name);
        if named.is_empty() { clock.to_owned() } else { named.join(" ") }
    })
}

fn os_name() -> String {
    read("/etc/os-release")
        .lines()
        .find_map(|l| l.strip_prefix("PRETTY_NAME="))
        .map_or_else(|| std::env::consts::OS.to_owned(), |v| v.trim_matches('"').to_owned())
}

fn memory_bytes(meminfo: &str, field: &str) -> Option<u64> {
    let value = meminfo.lines().find_map(|l| l.strip_prefix(field)?.strip_prefix(':'))?;
    value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// `32K`, `1024K`, `32M`.
fn size_with_suffix(text: &str) -> Option<u64> {
    let (digits, unit) = match text.as_bytes().last()? {
        b'K' => (&text[..text.len() - 1], 1 << 10),
        b'M' => (&text[..text.len() - 1], 1 << 20),
        _ => (text, 1),
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// How many cores a list such as `0-3,8` names; at least 1.
fn cores_in_list(list: &str) -> u32 {
    let count = |part: &str| -> Option<u32> {
        match part.split_once('-') {
            Some((from, to)) => {
                to.parse::<u32>().ok()?.checked_sub(from.parse().ok()?)?.checked_add(1)
            }
            None => part.parse::<u32>().ok().map(|_| 1),
        }
    };
    list.split(',').filter_map(count).fold(0, u32::saturating_add).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, want) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (4_102_444_799, "2099-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(seconds), want);
        }
    }

    #[test]
    fn system_files_are_read_leniently() {
        assert_eq!(size_with_suffix("32K"), Some(32 << 10));
        assert_eq!(size_with_suffix("1M"), Some(1 << 20));
        assert_eq!(size_with_suffix(""), None);
        assert_eq!(size_with_suffix("99999999999999999999M"), None);
        assert_eq!(cores_in_list("0-3,8"), 5);
        assert_eq!(cores_in_list("3-0,x,9-"), 1);
        assert_eq!(
            memory_bytes("MemTotal:  2 kB\nMemAvailable: 1 kB\n", "MemAvailable"),
            Some(1024)
        );
        assert_eq!(memory_bytes("MemTotal: x kB", "MemTotal"), None);
        let info = "vendor_id\t: A\nmodel\t\t: 17\nmodel name\t: B C\nmodel\t\t: 18\n";
        assert_eq!(cpu_field(info, "model").as_deref(), Some("17"));
        assert_eq!(cpu_field(info, "flags"), None);
        assert_eq!(kernel_flags("fpu avx2 avx avx avx512_vnni de"), ["avx", "avx2", "avx512_vnni"]);
    }

    #[test]
    fn steal_is_a_share_of_the_ticks_between() {
        let a = CpuTicks::parse("cpu  10 0 0 80 0 0 0 10 5 0\n").unwrap();
        let b = CpuTicks::parse("cpu  60 0 0 110 0 0 0 30 9 0\ncpu0 1\n").unwrap();
        assert_eq!(b.steal_pct_since(a), Some(20.0));
        assert_eq!(a.steal_pct_since(a), None);
        assert_eq!(CpuTicks::parse("cpu  1 2 3\n"), None);
        assert_eq!(CpuTicks::parse(""), None);
    }

    #[test]
    fn this_machine_has_a_description() {
        let toolchain = toolchain();
        assert!(toolchain.rustc.starts_with("rustc "), "{toolchain:?}");
        assert!(!toolchain.target.is_empty() && !toolchain.profile.is_empty());
        if cfg!(target_os = "linux") {
            let host = host();
            assert!(host.memory_bytes.is_some() && host.cores.is_some(), "{host:?}");
        }
    }
}
