use burn::module::Param;
use burn::tensor::Tensor;
use gaitgl::net::{
    BatchNormConfig, ConvConfig, GlobalLocalConfig, Init, SeparateFcConfig, StripPoolingConfig,
};
use gaitgl::region_conv3d::{Join, Operands, RegionConv, region_conv3d, spatial_max_pool};
use gaitgl::settings::{Branches, Precision, Reading, SpatialPooling};

use crate::fixture::{BACKWARD, FORWARD, Fixture};
use crate::testing::test_device;

fn init() -> Init {
    Init::new(1, &test_device().autodiff())
}

fn put<const D: usize>(param: &mut Param<Tensor<D>>, tensor: &Tensor<D>) {
    *param = Param::initialized(param.id, tensor.clone());
}

#[test]
fn region_convolutions_of_every_label_map() {
    let golden = Fixture::open("layers");
    for map in ["whole", "bands", "part-h", "part-v", "strip-h", "strip-v", "pixel"] {
        let prefix = format!("region.{map}");
        let x = golden.leaf(&format!("{prefix}.x"));
        let weight = golden.leaf(&format!("{prefix}.weight"));
        let regions = Some(golden.regions(&format!("{prefix}.labels")));
        let operands = Operands::F32;
        let conv = RegionConv { stride: 1, padding: 1, regions, leaky: false, operands };
        let y = region_conv3d(x.clone(), weight.clone(), &conv);
        golden.check_layer(&prefix, &y, &[("x", &x), ("weight", &weight)]);
    }
}

#[test]
fn local_temporal_aggregation() {
    let golden = Fixture::open("layers");
    for (name, kernel) in [("lta.thin", [3, 1, 1]), ("lta.thick", [3, 3, 3])] {
        let mut lta = ConvConfig::lta([3, 4], kernel, 3).init("lta", &mut init());
        let (x, weight) =
            (golden.leaf(&format!("{name}.x")), golden.leaf(&format!("{name}.weight")));
        put(&mut lta.weight, &weight);
        let y = lta.forward(x.clone(), Precision::F32).unwrap();
        golden.check_layer(name, &y, &[("x", &x), ("weight", &weight)]);
    }
}

#[test]
fn global_local_layers() {
    let golden = Fixture::open("layers");
    for (name, join) in [("global_local.sum", Join::Sum), ("global_local.stack", Join::Stack)] {
        let (branches, reading) = (Branches::Both, Reading::Restrict);
        let config = GlobalLocalConfig { channels: [3, 4], join, branches, reading };
        let mut layer = config.init("layer", &mut init());
        let leaf = |part: &str| golden.leaf::<5>(&format!("{name}.{part}"));
        let (x, global, local) = (leaf("x"), leaf("global"), leaf("local"));
        put(layer.global.as_mut().unwrap(), &global);
        put(layer.local.as_mut().unwrap(), &local);
        let regions = golden.regions(&format!("{name}.labels"));
        let y = layer.forward(x.clone(), Some(&regions), Precision::F32).unwrap();
        golden.check_layer(name, &y, &[("x", &x), ("global", &global), ("local", &local)]);
    }
}

#[test]
fn the_reading_activate() {
    let golden = Fixture::open("layers");
    let (branches, reading) = (Branches::Local, Reading::Activate);
    let config = GlobalLocalConfig { channels: [3, 4], join: Join::Sum, branches, reading };
    let mut layer = config.init("layer", &mut init());
    let (x, local) = (golden.leaf("activate.x"), golden.leaf("activate.local"));
    put(layer.local.as_mut().unwrap(), &local);
    let regions = golden.regions("activate.labels");
    let y = layer.forward(x.clone(), Some(&regions), Precision::F32).unwrap();
    golden.check_layer("activate", &y, &[("x", &x), ("local", &local)]);
}

#[test]
fn spatial_pooling() {
    let golden = Fixture::open("layers");
    let x = golden.leaf("spatial_pool.x");
    golden.check_layer("spatial_pool", &spatial_max_pool(x.clone()), &[("x", &x)]);
}

#[test]
fn strip_poolings() {
    let golden = Fixture::open("layers");
    let strips = 7;
    for (name, kind) in [
        ("pooling.max", SpatialPooling::Max),
        ("pooling.mean", SpatialPooling::Mean),
        ("pooling.both", SpatialPooling::Both),
    ] {
        let layer = StripPoolingConfig { strips, kind, gem_start: 6.5 }.init(&mut init());
        let x = golden.leaf(&format!("{name}.x"));
        golden.check_layer(name, &layer.forward(x.clone()).unwrap(), &[("x", &x)]);
    }
    let config = StripPoolingConfig { strips, kind: SpatialPooling::Gem, gem_start: 6.5 };
    let mut layer = config.init(&mut init());
    let (x, exponent) = (golden.leaf::<4>("pooling.gem.x"), golden.leaf("pooling.gem.exponent"));
    put(layer.exponent.as_mut().unwrap(), &exponent);
    let y = layer.forward(x.clone()).unwrap();
    let grads = golden.check_layer("pooling.gem", &y, &[("x", &x)]);
    golden.check("pooling.gem.by_exponent", &exponent.grad(&grads).unwrap(), BACKWARD);
}

#[test]
fn separate_fcs() {
    let golden = Fixture::open("layers");
    for name in ["separate_fc", "cosine_fc"] {
        let mut fc = SeparateFcConfig { strips: 5, channels: [3, 4] }.init("fc", &mut init());
        let (x, weight) =
            (golden.leaf(&format!("{name}.x")), golden.leaf(&format!("{name}.weight")));
        put(&mut fc.weight, &weight);
        let y = match name {
            "cosine_fc" => fc.forward_normalised(x.clone()).unwrap(),
            _ => fc.forward(x.clone()).unwrap(),
        };
        golden.check_layer(name, &y, &[("x", &x), ("weight", &weight)]);
    }
}

#[test]
fn batch_norm_in_training_and_at_test() {
    let golden = Fixture::open("layers");
    let device = test_device().autodiff();
    let mut norm = BatchNormConfig { features: 3 }.init(&mut init());
    let (x, scale, shift) = (
        golden.leaf::<3>("batch_norm.x"),
        golden.leaf("batch_norm.scale"),
        golden.leaf("batch_norm.shift"),
    );
    put(&mut norm.scale, &scale);
    put(&mut norm.shift, &shift);
    put(&mut norm.running_mean, &golden.tensor("batch_norm.before.running_mean", &device));
    put(&mut norm.running_variance, &golden.tensor("batch_norm.before.running_var", &device));
    let y = norm.forward_train(x.clone()).unwrap();
    let grads = golden.check_layer("batch_norm", &y, &[("x", &x)]);
    golden.check("batch_norm.by_scale", &scale.grad(&grads).unwrap(), BACKWARD);
    golden.check("batch_norm.by_shift", &shift.grad(&grads).unwrap(), BACKWARD);
    golden.check("batch_norm.after.running_mean", &norm.running_mean.val(), FORWARD);
    golden.check("batch_norm.after.running_var", &norm.running_variance.val(), FORWARD);
    golden.check("batch_norm.test", &norm.forward_test(x).unwrap(), FORWARD);
}
