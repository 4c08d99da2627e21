//! The gradients of [`RegionOps`], written by hand, for any backend below Burn's autodiff.

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, TensorMetadata};

use super::{GlobalLocalConv, RegionConv, RegionOps};

impl<B: RegionOps, C: CheckpointStrategy> RegionOps for Autodiff<B, C> {
    fn region_conv3d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        conv: RegionConv,
    ) -> FloatTensor<Self> {
        let nodes = [x.node(), weight.node()];
        match ConvBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let saved = [prep.checkpoint(&x), prep.checkpoint(&weight)];
                let y = B::region_conv3d(x.into_primitive(), weight.into_primitive(), conv.clone());
                // The sign of the output determines the slope, and the next layer keeps the output
                // anyway.
                let output = conv.leaky.then(|| y.clone());
                prep.finish((saved, conv, output), y)
            }
            OpsKind::UnTracked(prep) => {
                prep.finish(B::region_conv3d(x.into_primitive(), weight.into_primitive(), conv))
            }
        }
    }

    fn global_local(
        x: FloatTensor<Self>,
        global: FloatTensor<Self>,
        local: FloatTensor<Self>,
        layer: GlobalLocalConv,
    ) -> FloatTensor<Self> {
        let nodes = [x.node(), global.node(), local.node()];
        match GlobalLocalBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let saved =
                    [prep.checkpoint(&x), prep.checkpoint(&global), prep.checkpoint(&local)];
                let x = x.into_primitive();
                let global = global.into_primitive();
                let local = local.into_primitive();
                let (y, signs) = B::global_local_with_signs(x, global, local, layer.clone());
                prep.finish((saved, signs, layer), y)
            }
            OpsKind::UnTracked(prep) => {
                let x = x.into_primitive();
                let global = global.into_primitive();
                let local = local.into_primitive();
                prep.finish(B::global_local(x, global, local, layer))
            }
        }
    }

    fn spatial_max_pool(x: FloatTensor<Self>) -> FloatTensor<Self> {
        match PoolBackward.prepare::<C>([x.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let input = x.shape().dims();
                let (y, choice) = B::spatial_max_pool_with_choice(x.into_primitive());
                prep.finish((choice, input), y)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::spatial_max_pool(x.into_primitive())),
        }
    }

    fn max_over_time(x: FloatTensor<Self>) -> FloatTensor<Self> {
        match TimeBackward.prepare::<C>([x.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let input = x.shape().dims();
                let (y, frames) = B::max_over_time_with_frames(x.into_primitive());
                prep.finish((frames, input), y)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::max_over_time(x.into_primitive())),
        }
    }
}

#[derive(Debug)]
struct ConvBackward;

impl<B: RegionOps> Backward<B, 2> for ConvBackward {
    /// The input and the weight, the convolution, and its output if a leaky ReLU followed.
    type State = ([NodeId; 2], RegionConv, Option<FloatTensor<B>>);

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let ([x, weight], conv, output) = ops.state;
        let x: FloatTensor<B> = checkpointer.retrieve_node_output(x);
        let weight: FloatTensor<B> = checkpointer.retrieve_node_output(weight);
        let [x_node, weight_node] = ops.parents;
        let grad = grads.consume::<B>(&ops.node);
        let grad = match output {
            Some(output) => B::leaky_backward(output, grad),
            None => grad,
        };
        let input = x.shape().dims();
        let kernel = weight.shape().dims();
        if let Some(node) = weight_node {
            let grad_weight =
                B::region_conv3d_backward_weight(x, grad.clone(), conv.clone(), kernel);
            grads.register::<B>(node.id, grad_weight);
        }
        if let Some(node) = x_node {
            let grad_x = B::region_conv3d_backward_data(weight, grad, conv, input);
            grads.register::<B>(node.id, grad_x);
        }
    }
}

#[derive(Debug)]
struct GlobalLocalBackward;

impl<B: RegionOps> Backward<B, 3> for GlobalLocalBackward {
    /// The input and both weights, the signs of the branches, the layer.
    type State = ([NodeId; 3], IntTensor<B>, GlobalLocalConv);

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let (saved, signs, layer) = ops.state;
        let [x, global, local]: [FloatTensor<B>; 3] =
            saved.map(|node| checkpointer.retrieve_node_output(node));
        let [x_node, global_node, local_node] = ops.parents;
        let grad = grads.consume::<B>(&ops.node);
        let wants_x = x_node.is_some();
        let (grad_global, grad_local, grad_x) =
            B::global_local_backward(x, global, local, layer, signs, grad, wants_x);
        for (node, grad) in [(global_node, grad_global), (local_node, grad_local)] {
            if let Some(node) = node {
                grads.register::<B>(node.id, grad);
            }
        }
        if let (Some(node), Some(grad_x)) = (x_node, grad_x) {
            grads.register::<B>(node.id, grad_x);
        }
    }
}

#[derive(Debug)]
struct PoolBackward;

impl<B: RegionOps> Backward<B, 1> for PoolBackward {
    /// Which element of each block is the maximum, and the shape of the input.
    type State = (IntTensor<B>, [usize; 5]);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (choice, input) = ops.state;
        let grad = grads.consume::<B>(&ops.node);
        let [node] = ops.parents;
        if let Some(node) = node {
            grads.register::<B>(node.id, B::spatial_max_pool_backward(grad, choice, input));
        }
    }
}

#[derive(Debug)]
struct TimeBackward;

impl<B: RegionOps> Backward<B, 1> for TimeBackward {
    /// The frame of each maximum, and the shape of the input.
    type State = (IntTensor<B>, [usize; 5]);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (frames, input) = ops.state;
        let grad = grads.consume::<B>(&ops.node);
        let [node] = ops.parents;
        if let Some(node) = node {
            grads.register::<B>(node.id, B::max_over_time_backward(grad, frames, input));
        }
    }
}
