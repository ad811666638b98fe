//! `chart.svg`: the figures that say most, each in a panel of its own.

use std::error::Error;

use plotters::{
    coord::Shift,
    prelude::{
        ChartBuilder, Circle, Color, DrawingArea, EmptyElement, IntoDrawingArea,
        IntoSegmentedCoord, PathElement, RGBColor, SVGBackend, SegmentValue, Text, WHITE,
    },
};

use crate::{
    contender::{EVERPOOL, EVERPOOL_AGING},
    contest::Standing,
    number::short,
    panel::{PANELS, Panel},
    quartiles::Quartiles,
};

const SIZE: (u32, u32) = (1_000, 900);
const OURS: RGBColor = RGBColor(0xc0, 0x3a, 0x2b);
const THEIRS: RGBColor = RGBColor(0x34, 0x5d, 0x8c);

/// The drawing, as SVG. Panels of which nothing was measured stay empty.
pub(crate) fn drawing(standings: &[&Standing]) -> Result<String, Box<dyn Error>> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let areas = root.split_evenly((PANELS.len().div_ceil(2), 2));
        for (panel, area) in PANELS.iter().zip(&areas) {
            let rows = panel.rows(standings);
            if !rows.is_empty() {
                draw(panel, &rows, area)?;
            }
        }
        root.present()?;
    }
    Ok(svg)
}

fn draw(
    panel: &Panel,
    rows: &[(&str, Quartiles)],
    area: &DrawingArea<SVGBackend<'_>, Shift>,
) -> Result<(), Box<dyn Error>> {
    // The values are written beside the dots, to the right of them.
    let least = rows.iter().map(|(_, it)| it.first).fold(f64::MAX, f64::min) / 1.3;
    let most = rows.iter().map(|(_, it)| it.third).fold(0.0, f64::max);
    let places = (0..rows.len()).into_segmented();
    let mut chart = ChartBuilder::on(area)
        .caption(panel.title, ("sans-serif", 15))
        .margin(10)
        .y_label_area_size(110)
        .build_cartesian_2d(
            least.log10()..(most / least).log10() * 1.3 + least.log10(),
            places,
        )?;
    chart
        .configure_mesh()
        .disable_mesh()
        .x_labels(0)
        .label_style(("sans-serif", 12))
        .y_label_formatter(&|place| name(rows, place))
        .draw()?;
    for (place, (name, quartiles)) in rows.iter().enumerate() {
        let color = color(name);
        let at = |value: f64| (value.log10(), SegmentValue::CenterOf(place));
        let range = vec![at(quartiles.first), at(quartiles.third)];
        chart.draw_series([PathElement::new(range, color.stroke_width(3))])?;
        chart.draw_series([Circle::new(at(quartiles.median), 4, color.filled())])?;
        let value = Text::new(short(quartiles.median), (8, -5), ("sans-serif", 12));
        chart.draw_series([EmptyElement::at(at(quartiles.third)) + value])?;
    }
    Ok(())
}

fn name(rows: &[(&str, Quartiles)], place: &SegmentValue<usize>) -> String {
    match place {
        SegmentValue::CenterOf(place) => rows.get(*place).map_or("", |(name, _)| name).to_owned(),
        SegmentValue::Exact(_) | SegmentValue::Last => String::new(),
    }
}

fn color(name: &str) -> RGBColor {
    match name {
        EVERPOOL | EVERPOOL_AGING => OURS,
        _ => THEIRS,
    }
}
