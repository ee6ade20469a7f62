//! The page: same bytes, no request, nothing unescaped, small enough, readable, never a panic.

use std::collections::BTreeSet;
use std::path::Path;

use annvil_reports::page::render;
use annvil_reports::schema::{Cell, NotRun, Run, Standing, Verdict, Workload};
use annvil_reports::stats;

#[path = "../examples/sample/fixture.rs"]
mod fixture;

/// The values of an attribute, quoted or not, wherever it stands in `html`.
fn attribute<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let lead = format!(" {name}=");
    let value = |at: &'a str| match at.strip_prefix('"') {
        Some(rest) => rest.split('"').next().unwrap_or(""),
        None => at.split([' ', '>']).next().unwrap_or(""),
    };
    html.match_indices(&lead).map(|(i, _)| value(&html[i + lead.len()..])).collect()
}

/// The data inside the page.
fn island(html: &str) -> &str {
    let from = html.find("id=\"annvil-run\">").expect("the data is in the page");
    let rest = &html[from + "id=\"annvil-run\">".len()..];
    &rest[..rest.find("</script>").expect("the data ends")]
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    assert_eq!(render(&fixture::sample()).unwrap(), render(&fixture::sample()).unwrap());
}

#[test]
fn nothing_is_requested_from_anywhere() {
    let html = render(&fixture::sample()).unwrap();
    for link in attribute(&html, "href") {
        assert!(link.starts_with('#') || link == "data:,", "href {link:?}");
    }
    for part in
        ["src=", "srcset", "url(", "@import", "<iframe", "<object", "<embed", "http:", "https:"]
    {
        assert!(!html.contains(part), "{part} stands in the page");
    }
    for part in ["fetch(", "XMLHttpRequest", "sendBeacon", "WebSocket", "import("] {
        assert!(!html.contains(part), "{part} stands in the page");
    }
    assert!(html.contains("default-src 'none'"));
}

#[test]
fn two_thousand_rows_stay_below_a_megabyte_and_a_half() {
    let run = fixture::sample();
    assert!(run.cells.iter().filter(|c| c.has_run()).count() >= 2000);
    let html = render(&run).unwrap();
    assert!(html.len() < 1_500_000, "{} bytes", html.len());
}

#[test]
fn the_strip_says_what_the_statistics_say() {
    let run = fixture::sample();
    let (html, s) = (render(&run).unwrap(), stats::summary(&run));
    assert!(html.contains(&format!("<dt>Cells<dd>{}<dd", s.cells)));
    for v in Verdict::ALL {
        assert!(html.contains(&format!("</span> {v}<dd>{}</div>", s.of(v))), "{v}");
        assert!(s.of(v) > 0, "the sample has no {v}: the test shows nothing");
    }
    assert!(html.contains(&format!("<dd>&le; {:.1}<", s.expected_false_winners)));
    assert!(html.contains(&format!("Noise grade<dd>{}", s.noise.grade.unwrap())));
    assert_eq!(html.matches(" data-i=").count(), s.timed);
    assert_eq!(html.matches(" data-w=").count(), run.workloads.len());
}

#[test]
fn workloads_stand_under_their_data_set() {
    let mut run = fixture::sample();
    let html = render(&run).unwrap();
    assert_eq!(html.matches("<tr class=set>").count(), 2);
    assert_eq!(html.matches("<b>digits</b>").count(), 1);
    run.workloads.iter_mut().take(3).for_each(|w| w.not_run = Some("no file".into()));
    let html = render(&run).unwrap();
    assert_eq!(html.matches("<tr class=set>").count(), 1, "a set of which nothing ran has no rows");
    assert!(!html.contains("<b>digits</b>"));
}

#[test]
fn only_broken_claims_are_painted() {
    let mut run = fixture::sample();
    let marked = |run: &Run| render(run).unwrap().matches(" class=bad>avx512 !<td>").count();
    assert_eq!(marked(&run), 0, "the sample's rows ran what they claim, or claim nothing");
    let claims = run.cells.iter_mut().find(|c| c.level == "avx2" && c.has_run()).unwrap();
    claims.ran_level = Some("avx512".into());
    assert_eq!(marked(&run), 1);
}

#[test]
fn the_data_in_the_page_is_the_record() {
    let run = fixture::sample();
    let saved = Run::from_json(run.to_json().unwrap().as_bytes(), Path::new("saved")).unwrap();
    let html = render(&run).unwrap();
    assert_eq!(Run::from_json(island(&html).as_bytes(), Path::new("page")).unwrap(), saved);
}

const HOSTILE: &str =
    "</script><script>alert(1)</script><!-- \"'><img src=x onerror=alert(2)>&\u{2028}\0";

/// Replaces every text below `value`, except the schema id and the names that enums have.
fn poison(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(s) => HOSTILE.clone_into(s),
        serde_json::Value::Array(list) => list.iter_mut().for_each(poison),
        serde_json::Value::Object(map) => {
            for (key, value) in map {
                if !["schema", "mode", "verdict", "standing"].contains(&key.as_str()) {
                    poison(value);
                }
            }
        }
        _ => {}
    }
}

#[test]
fn no_text_of_the_record_becomes_markup() {
    let mut run = fixture::sample();
    run.cells.truncate(40);
    run.workloads[0].not_run = Some("x".into());
    let mut json = serde_json::to_value(&run).unwrap();
    poison(&mut json);
    let run: Run = serde_json::from_value(json).unwrap();
    let html = render(&run).unwrap();
    assert_eq!(html.matches("</script>").count(), 2);
    assert_eq!(html.matches("<script").count(), 2);
    for part in ["<img", "<!--", "alert(1)</", "\0"] {
        assert!(!html.contains(part), "{part:?} stands in the page");
    }
    assert!(html.contains("&lt;img src=x onerror=alert(2)&gt;"));
    let back = Run::from_json(island(&html).as_bytes(), Path::new("page")).unwrap();
    assert_eq!(back.host.cpu, HOSTILE);
}

#[test]
fn tables_drawings_and_anchors_are_accessible() {
    let html = render(&fixture::sample()).unwrap();
    assert_eq!(html.matches("<table").count(), html.matches("<caption").count());
    assert_eq!(html.matches("<th ").count(), html.matches("<th scope=").count());
    assert!(!html.contains("<th>"));
    assert!(html.matches("aria-sort=none><button").count() > 20);
    let drawings = html.matches("<svg").count();
    assert!(drawings > 20);
    assert_eq!(html.matches("<svg class=chart role=img").count(), drawings);
    assert_eq!(html.matches("<title id=").count(), drawings);
    assert_eq!(html.matches("<desc id=").count(), drawings);
    let ids = attribute(&html, "id");
    let unique: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), unique.len(), "an id stands twice");
    for link in attribute(&html, "href").into_iter().filter_map(|l| l.strip_prefix('#')) {
        assert!(unique.contains(link), "#{link} leads nowhere");
    }
    for names in attribute(&html, "aria-labelledby") {
        assert!(names.split(' ').all(|n| unique.contains(n)), "{names}");
    }
}

#[test]
fn a_run_of_almost_nothing_renders() {
    let only_not_run = Cell {
        op: "f32/dot/pair".into(),
        variant: "neon-x4".into(),
        not_run: Some("no NEON".into()),
        ..Cell::default()
    };
    let bare = Cell { op: "f32/dot/pair".into(), ns_p50: Some(1.0), ..Cell::default() };
    let odd = Cell {
        dim: usize::MAX,
        ns_p50: Some(f64::NAN),
        ratio_to_best: Some(0.0),
        ratio_lo: Some(f64::NEG_INFINITY),
        ratio_hi: Some(f64::INFINITY),
        pct_of_limit: Some(-1e300),
        mde: Some(f64::NAN),
        verdict: Some(Verdict::Winner),
        standing: Some(Standing::Winner),
        ..bare.clone()
    };
    let tiny = Cell { ns_p50: Some(1e-300), ratio_to_best: Some(1e-300), dim: 1, ..bare.clone() };
    let runs = [
        Run::default(),
        Run { cells: vec![only_not_run.clone()], ..Run::default() },
        Run { cells: vec![bare.clone()], ..Run::default() },
        Run { cells: vec![odd, tiny, bare, only_not_run], ..Run::default() },
        Run {
            workloads: vec![Workload { qps: Some(f64::NAN), ..Workload::default() }],
            not_run: vec![NotRun::default()],
            ..Run::default()
        },
    ];
    for run in runs {
        let html = render(&run).unwrap();
        assert!(html.starts_with("<!doctype html>") && html.ends_with("</html>\n"));
        let markup = &html[..html.find("<script").expect("the data is in the page")];
        assert!(!markup.contains("NaN") && !markup.contains(">inf<"));
    }
    let bare = Cell { ns_p50: Some(1.0), ..Cell::default() };
    let html = render(&Run { cells: vec![bare], ..Run::default() }).unwrap();
    assert!(
        html.contains("Of the 1 timed rows of this run, 1 were not checked and 1 carry no proof")
    );
    let html = render(&Run::default()).unwrap();
    assert!(html.contains("No cell was timed"), "an empty run says so");
}

/// Relative luminance of `#rrggbb`.
fn luminance(hex: &str) -> f64 {
    let part = |i: usize| {
        let c =
            f64::from(u8::from_str_radix(&hex[i..i + 2], 16).expect("a colour is #rrggbb")) / 255.0;
        if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
}

#[test]
fn contrast_is_at_least_four_and_a_half_in_both_schemes() {
    let css = include_str!("../templates/style.css");
    let color = |name: &str, scheme: usize| {
        let lead = format!("--{name}:light-dark(");
        let from =
            css.find(&lead).unwrap_or_else(|| panic!("--{name} is not defined")) + lead.len();
        luminance(css[from..].split([',', ')']).nth(scheme).unwrap())
    };
    let mut pairs = vec![("bg", "text")];
    for ground in ["bg", "panel"] {
        pairs.extend(["text", "muted", "bad", "link"].map(|ink| (ground, ink)));
    }
    pairs.extend(["h0", "h1", "h2", "h3", "h4"].map(|ground| (ground, "text")));
    pairs.extend(["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"].map(|ink| ("bg", ink)));
    for scheme in [0, 1] {
        for (ground, ink) in &pairs {
            let (a, b) = (color(ground, scheme), color(ink, scheme));
            let ratio = (a.max(b) + 0.05) / (a.min(b) + 0.05);
            assert!(ratio >= 4.5, "{ink} on {ground}, scheme {scheme}: {ratio:.2}");
        }
    }
}

#[test]
fn a_run_of_the_engine_suite_is_a_page_of_its_own() {
    let whole = fixture::sample();
    let html = render(&whole).unwrap();
    assert!(html.contains("id=engine") && html.contains("id=winners"));
    let run = Run { cells: Vec::new(), workloads: Vec::new(), ..whole };
    let html = render(&run).unwrap();
    assert!(!html.contains("id=winners") && html.contains("href=\"#engine\""));
    assert_eq!(html.matches("<svg").count(), 1, "a chart a set that was measured");
    for part in ["Annvil engine bench", "2.50 (2.40 to 2.60)", "&gt; 66", "other f32", "0.999"] {
        assert!(html.contains(part), "{part} is missing");
    }
    let none = Run { engine: None, ..run };
    assert!(!render(&none).unwrap().contains("id=engine"));
}

#[test]
fn no_text_of_the_engine_section_becomes_markup() {
    let run = Run { cells: Vec::new(), ..fixture::sample() };
    let mut json = serde_json::to_value(&run).unwrap();
    poison(&mut json);
    let run: Run = serde_json::from_value(json).unwrap();
    let html = render(&run).unwrap();
    assert_eq!(html.matches("<script").count(), 2);
    assert!(!html.contains("<img") && html.contains("&lt;img src=x onerror=alert(2)&gt;"));
}
