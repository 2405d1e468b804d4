//! How signs look: a height that says how good the state is, a color, and a hatch, so that print without colors is
//! legible.

use crate::timeline::sign::Sign;

/// Colors in light and in dark mode, and the fonts. Classes, not variables: more programs know them. Print is light.
pub(super) const STYLE: &str = "\
text{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace;\
font-size:13px;fill:#1f2328}
.small{font-size:12px}.title{font-size:15px;font-weight:bold}.head{font-weight:bold}.dim{fill:#57606a}
.paper{fill:#fff}.grid{stroke:#d8dee4;fill:none}.line{stroke:#57606a;fill:none}
.limit{stroke:#57606a;fill:none;stroke-dasharray:5 4}
.good{fill:#007f5f}.bad{fill:#c2410c}.fair{fill:#b7791f}.held{fill:#8b3f8f}.none{fill:#8c959f}
.hatch{stroke-width:2;fill:none}.goods{stroke:#007f5f}.bads{stroke:#c2410c}.nones{stroke:#57606a}
.curve{stroke:#8b3f8f;stroke-width:1.5;fill:none}.area{fill:#8b3f8f;fill-opacity:.15}
@media screen and (prefers-color-scheme:dark){
text{fill:#e6edf3}.dim{fill:#9da7b3}.paper{fill:#0d1117}.grid{stroke:#30363d}.line,.limit{stroke:#9da7b3}
.good{fill:#3fb98f}.bad{fill:#ff8a5c}.fair{fill:#e3b341}.held{fill:#d08bd4}.none{fill:#6e7681}
.goods{stroke:#3fb98f}.bads{stroke:#ff8a5c}.nones{stroke:#9da7b3}
.curve{stroke:#d08bd4}.area{fill:#d08bd4}
}
";

/// Hatches, as patterns that the fills below name.
pub(super) const HATCHES: &str = "\
<pattern id=\"rising\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\">\
<path class=\"hatch goods\" d=\"M-1 6l7-7M-1 1l2-2M4 6l2-2\"/></pattern>
<pattern id=\"falling\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\">\
<path class=\"hatch bads\" d=\"M-1-1l7 7M4-1l2 2M-1 4l2 2\"/></pattern>
<pattern id=\"drained\" width=\"4\" height=\"4\" patternUnits=\"userSpaceOnUse\">\
<path class=\"hatch nones\" d=\"M1 0v4\"/></pattern>
";

/// The look of a band.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// Of the height of the band.
    pub(super) height: f64,
    /// Attributes of the shape.
    pub(super) fill: &'static str,
    /// In the legend.
    pub(super) meaning: &'static str,
}

/// The look of a state.
pub(super) const fn look(sign: Sign) -> Look {
    let (height, fill, meaning) = match sign {
        Sign::Good => (1.0, "class=\"good\"", "up, announced"),
        Sign::Unknown => (0.2, "class=\"none\"", "not known yet"),
        Sign::Rising => (0.6, "fill=\"url(#rising)\"", "rising"),
        Sign::Degraded => (0.75, "class=\"fair\"", "degraded"),
        Sign::Falling => (0.6, "fill=\"url(#falling)\"", "falling"),
        Sign::Drained => (0.4, "fill=\"url(#drained)\"", "drained"),
        Sign::Held => (0.4, "class=\"held\"", "held by dampening"),
        Sign::Down => (0.2, "class=\"bad\"", "down, withdrawn"),
    };
    Look { height, fill, meaning }
}

/// The look of outcomes, worst first.
pub(super) const OUTCOMES: [Look; 3] = [
    Look { height: 1.0, fill: "class=\"bad\"", meaning: "failed" },
    Look { height: 0.7, fill: "class=\"none\"", meaning: "without a result" },
    Look { height: 0.4, fill: "class=\"good\"", meaning: "passed" },
];
