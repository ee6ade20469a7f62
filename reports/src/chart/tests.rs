//! Drawings: classes instead of colours, escaped names, labels apart, odd input.

use super::*;
use crate::schema::Run;

fn chart(measure: Measure, points: &[&[(f64, f64)]]) -> Chart {
    let techniques = ["hand", "simsimd", "scalar", "wide"];
    let series = points.iter().zip(techniques).map(|(p, t)| Series {
        name: format!("{t}-<&>"),
        technique: t.to_owned(),
        points: p.to_vec(),
    });
    Chart { id: "c1".into(), title: "a < b".into(), measure, series: series.collect() }
}

#[test]
fn a_drawing_has_classes_a_name_and_no_colour_of_its_own() {
    let points: [&[(f64, f64)]; 2] =
        [&[(8.0, 1.0), (96.0, 4.0), (1536.0, 40.0)], &[(8.0, 2.0), (1536.0, 41.0)]];
    for measure in [Measure::NsPerValue, Measure::PctOfLimit] {
        let chart = chart(measure, &points);
        let svg = chart.svg().unwrap();
        assert_eq!(svg, chart.svg().unwrap());
        for part in ["role=img", "<title id=\"c1-t\">a &lt; b<", "class=s0", "class=s1", "1536<"] {
            assert!(svg.contains(part), "{part} is missing in {svg}");
        }
        for part in ["#000", "fill=", "stroke=", "font", "http", "NaN", "inf"] {
            assert!(!svg.contains(part), "{part} stands in {svg}");
        }
        assert!(svg.contains("hand-&lt;&amp;&gt;") && !svg.contains("<&>"));
        assert!(svg.len() < 6000, "{} bytes", svg.len());
    }
}

#[test]
fn odd_input_draws_without_panic() {
    let cases: [&[&[(f64, f64)]]; 5] = [
        &[],
        &[&[(1.0, 1e-9)]],
        &[&[(64.0, 1e12), (65.0, 1e-12)]],
        &[&[(3.0, 5.0)], &[(3.0, 5.0)], &[(3.0, 5.0)]],
        &[&[(1e19, 1e300)]],
    ];
    for points in cases {
        for measure in [Measure::NsPerValue, Measure::PctOfLimit] {
            let svg = chart(measure, points).svg().unwrap();
            assert!(svg.starts_with("<svg") && svg.ends_with("</svg>"));
        }
    }
}

#[test]
fn labels_are_apart_and_inside() {
    for wanted in [vec![100; 8], vec![470, 474, 473, 5], (0..8).map(|i| 400 + i).collect()] {
        let placed = spread(&wanted);
        let mut sorted = placed.clone();
        sorted.sort_unstable();
        assert!(sorted.windows(2).all(|w| w[1] - w[0] >= LABEL_GAP), "{placed:?}");
        assert!(sorted[0] >= 0 && *sorted.last().unwrap() <= (SIZE.1 - BOTTOM) as i32);
    }
    assert_eq!(spread(&[300, 100, 200]), [300, 100, 200]);
}

#[test]
fn a_line_is_the_best_variant_of_its_technique_with_the_widest_cover() {
    let cell = |variant: &str, dim: usize, ratio: f64| Cell {
        op: "o".into(),
        dim,
        technique: "hand".into(),
        variant: variant.into(),
        ns_p50: Some(ratio * dim as f64),
        ratio_to_best: Some(ratio),
        ..Cell::default()
    };
    let run = Run {
        cells: vec![
            cell("fast-but-small-dims", 8, 0.5),
            cell("good", 8, 1.0),
            cell("good", 64, 1.0),
            cell("poor", 8, 3.0),
            cell("poor", 64, 2.0),
        ],
        ..Run::default()
    };
    let lines = series(&run.groups(), Measure::NsPerValue);
    assert_eq!(lines.len(), 1);
    assert_eq!((lines[0].name.as_str(), lines[0].points.len()), ("good", 2));
    assert!(series(&run.groups(), Measure::PctOfLimit).is_empty());
}
