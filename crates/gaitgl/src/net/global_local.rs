//! GLCL, the global-local convolutional layer (section 3.3 of the paper).

use burn::module::{Module, Param};
use burn::tensor::activation::leaky_relu;
use burn::tensor::{Tensor, TensorData};

use super::error::{ModelError, check_shape};
use super::init::Init;
use super::plan::KERNEL;
use crate::mask::Regions;
use crate::region_conv3d::{self, GlobalLocalConv, Join, RegionConv, SLOPE, region_conv3d};
use crate::settings::{Branches, Precision, Reading};

/// What a [`GlobalLocal`] is made of.
#[derive(Clone, Debug)]
pub struct GlobalLocalConfig {
    /// Channels that enter and leave.
    pub channels: [usize; 2],
    /// Sum (A) or stack (B) of the branches.
    pub join: Join,
    /// Which branches there are.
    pub branches: Branches,
    /// How Eqn. 6 is read.
    pub reading: Reading,
}

impl GlobalLocalConfig {
    /// The layer with Xavier-uniform weights.
    pub fn init(&self, name: &str, init: &mut Init) -> GlobalLocal {
        let [ci, co] = self.channels;
        let [kt, kh, kw] = KERNEL;
        let mut weight =
            |absent| (self.branches != absent).then(|| init.xavier_uniform([co, ci, kt, kh, kw]));
        GlobalLocal {
            global: weight(Branches::Local),
            local: weight(Branches::Global),
            name: name.into(),
            join: self.join,
            reading: self.reading,
            channels: ci,
        }
    }
}

/// See [`GlobalLocalConfig`].
#[derive(Module, Debug)]
pub struct GlobalLocal {
    /// Weight of the global branch, `[co, ci, kt, kh, kw]`.
    pub global: Option<Param<Tensor<5>>>,
    /// Weight of the local branch, of the same shape.
    pub local: Option<Param<Tensor<5>>>,
    #[module(skip)]
    name: String,
    #[module(skip)]
    join: Join,
    #[module(skip)]
    reading: Reading,
    #[module(skip)]
    channels: usize,
}

impl GlobalLocal {
    /// Both branches, computed in `precision`, and their join. `regions` restricts the local branch;
    /// `None` is one region.
    ///
    /// # Shapes
    /// - x: `[n, ci, t, h, w]`
    /// - result: `[n, co, t, h, w]`; `[n, co, t, 2 h, w]` if two branches are stacked
    ///
    /// # Errors
    /// Other channels, or regions of another map.
    pub fn forward(
        &self,
        x: Tensor<5>,
        regions: Option<&Regions>,
        precision: Precision,
    ) -> Result<Tensor<5>, ModelError> {
        let height = regions.map(Regions::height);
        let width = regions.map(Regions::width);
        let expected = [None, Some(self.channels), None, height, width];
        check_shape(&self.name, "n c t h w", expected, x.dims())?;
        let regions = regions.filter(|_| self.reading != Reading::Literal).cloned();
        let weight = |param: &Option<Param<Tensor<5>>>| param.as_ref().map(Param::val);
        Ok(match (weight(&self.global), weight(&self.local), regions) {
            (global, Some(local), Some(regions)) if self.reading == Reading::Activate => {
                let local = activated(x.clone(), &local, &regions, precision);
                match (global.map(|weight| leaky_conv(x, weight, None, precision)), self.join) {
                    (None, _) => local,
                    (Some(global), Join::Sum) => global + local,
                    (Some(global), Join::Stack) => Tensor::cat(vec![global, local], 3),
                }
            }
            (Some(global), Some(local), regions) => {
                precision.around([x, global, local], |[x, global, local], operands| {
                    let layer = GlobalLocalConv { regions, join: self.join, operands };
                    region_conv3d::global_local(x, global, local, layer)
                })
            }
            (Some(global), None, _) => leaky_conv(x, global, None, precision),
            (None, Some(local), regions) => leaky_conv(x, local, regions, precision),
            (None, None, _) => x,
        })
    }
}

fn leaky_conv(
    x: Tensor<5>,
    weight: Tensor<5>,
    regions: Option<Regions>,
    precision: Precision,
) -> Tensor<5> {
    precision.around([x, weight], |[x, weight], operands| {
        let padding = KERNEL[0] / 2;
        let conv = RegionConv { stride: 1, padding, regions, leaky: true, operands };
        region_conv3d(x, weight, &conv)
    })
}

/// The reading `activate`: a leaky ReLU on the convolution of each masked input, then the sum.
fn activated(
    x: Tensor<5>,
    weight: &Tensor<5>,
    regions: &Regions,
    precision: Precision,
) -> Tensor<5> {
    let padding = KERNEL[0] / 2;
    let plain = |operands| RegionConv { stride: 1, padding, regions: None, leaky: false, operands };
    let branches = regions.regions().into_iter().map(|region| {
        let shape = [1, 1, 1, regions.height(), regions.width()];
        let mask = TensorData::new(regions.indicator(region), shape);
        let masked = x.clone() * Tensor::from_data(mask, &x.device());
        let convolved = precision.around([masked, weight.clone()], |[x, weight], operands| {
            region_conv3d(x, weight, &plain(operands))
        });
        leaky_relu(convolved, f64::from(SLOPE))
    });
    branches.reduce(|a, b| a + b).unwrap_or(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::testing::{test_device, test_tolerance};
    use burn::tensor::Tolerance;

    const SHAPE: [usize; 5] = [2, 3, 4, 6, 5];

    fn x() -> Tensor<5> {
        let count = SHAPE.iter().product::<usize>();
        let values: Vec<f32> = (0..count).map(|i| ((i * 37 % 101) as f32 - 50.0) / 50.0).collect();
        Tensor::from_data(TensorData::new(values, SHAPE), &test_device())
    }

    fn layer(branches: Branches, reading: Reading, join: Join) -> GlobalLocal {
        let config = GlobalLocalConfig { channels: [3, 4], join, branches, reading };
        config.init("stages.1.layers.0", &mut Init::new(4, &test_device()))
    }

    fn mask() -> Regions {
        let labels = (0..30).map(|pixel| i32::from(pixel % 5 == 1 || pixel % 5 == 2)).collect();
        Regions::new(6, 5, labels).unwrap()
    }

    fn same(a: Tensor<5>, b: Tensor<5>) {
        a.into_data()
            .assert_approx_eq::<f32>(&b.into_data(), Tolerance::absolute(test_tolerance(1e-5)));
    }

    fn apart(a: Tensor<5>, b: Tensor<5>) {
        assert!((a - b).abs().max().into_scalar::<f32>() > 1e-2);
    }

    #[test]
    fn stacking_puts_global_rows_above_local_rows() {
        let regions = mask();
        let both = |join| layer(Branches::Both, Reading::Restrict, join);
        let run = |branches, join| {
            let mut layer = layer(branches, Reading::Restrict, join);
            let both = both(join);
            layer.global = layer.global.and(both.global);
            layer.local = layer.local.and(both.local);
            layer.forward(x(), Some(&regions), Precision::F32).unwrap()
        };
        let stacked = run(Branches::Both, Join::Stack);
        assert_eq!(stacked.dims(), [2, 4, 4, 12, 5]);
        let (global, local) = (run(Branches::Global, Join::Stack), run(Branches::Local, Join::Sum));
        same(stacked.clone().narrow(3, 0, 6), global.clone());
        same(stacked.narrow(3, 6, 6), local.clone());
        same(run(Branches::Both, Join::Sum), global + local);
    }

    #[test]
    fn literal_reading_is_the_plain_convolution() {
        let literal = layer(Branches::Both, Reading::Literal, Join::Sum);
        let restrict = layer(Branches::Both, Reading::Restrict, Join::Sum);
        let with = |layer: &GlobalLocal, mask| layer.forward(x(), mask, Precision::F32).unwrap();
        let mask = mask();
        same(with(&literal, Some(&mask)), with(&restrict, None));
        apart(with(&restrict, Some(&mask)), with(&restrict, None));
    }

    /// Scaling the input by the mean of each mask is the plain convolution: the leaky ReLU is
    /// positively homogeneous and the two shares sum to 1.
    #[test]
    fn activate_reading_with_the_mean_masks_is_plain() {
        let activate = layer(Branches::Local, Reading::Activate, Join::Sum);
        let weight = activate.local.as_ref().unwrap().val();
        let part = |share: f64| leaky_conv(x() * share, weight.clone(), None, Precision::F32);
        same(part(0.3) + part(0.7), activate.forward(x(), None, Precision::F32).unwrap());
        apart(activate.forward(x(), Some(&mask()), Precision::F32).unwrap(), part(1.0));
    }

    #[test]
    fn regions_of_another_map_name_the_layer() {
        let layer = layer(Branches::Both, Reading::Restrict, Join::Sum);
        let regions = Regions::bands(4, 5, 2);
        let message = layer.forward(x(), Some(&regions), Precision::F32).unwrap_err().to_string();
        assert!(message.starts_with("stages.1.layers.0: expected [n, c=3, t, h=4"), "{message}");
    }
}
