//! Coats and bags, which cover a person's shape and hinder the arms.

use rand::Rng;

use super::body::{Body, Ring};
use super::chance::{between, factor, happens, spread};
use super::gait::Gait;
use super::pose::{Pose, sign};
use super::solids::{Ellipsoid, Part, Region};
use super::vector::{Frame, Vec3, vec3};

/// A coat over the usual clothes; lengths in metres.
#[derive(Clone, Copy, Debug)]
pub(super) struct Coat {
    /// Thickness over the trunk and over the arms.
    pub layer: f32,
    pub sleeve: f32,
    /// How straight it is cut: every section is at least this fraction of the widest one.
    pub straight: f32,
    /// Position of the hem in thigh lengths below the hip joint: 0.3 for a jacket, over 1 for a
    /// long coat.
    pub hem: f32,
    /// How far the hem stands off the legs.
    pub flare: f32,
    /// The hood is up.
    pub hood: bool,
    /// Height of the collar around the neck.
    pub collar: f32,
    /// The hands are in its pockets.
    pub pockets: bool,
    /// Factor of the swing of the arms.
    pub swing: f32,
}

/// What covers the head.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Hat {
    /// How far the crown stands off the head, as a fraction of the head.
    pub crown: f32,
    /// How far a brim protrudes in front and behind, as fractions of the head's depth.
    pub front: f32,
    pub back: f32,
}

/// A skirt over the usual clothes: its hem as that of a coat, and how far it stands off the legs in
/// metres.
#[derive(Clone, Copy, Debug)]
pub(super) struct Skirt {
    pub hem: f32,
    pub flare: f32,
}

/// How a bag is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carried {
    InHand,
    OnShoulder,
    OnBack,
    /// On wheels, pulled behind.
    Pulled,
    /// Held to the ear: a telephone, too small to be seen.
    AtEar,
}

/// A bag: half its depth (forward), width (sideways) and height, in metres.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bag {
    pub carried: Carried,
    /// 0 left, 1 right; a bag on the back hangs on both.
    pub side: usize,
    pub half: Vec3,
}

/// What a person wears and carries in one recording.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outfit {
    pub coat: Option<Coat>,
    pub skirt: Option<Skirt>,
    pub hat: Option<Hat>,
    /// Thickness of a scarf in metres.
    pub scarf: Option<f32>,
    pub bag: Option<Bag>,
}

impl Coat {
    /// Draws a person's coat.
    pub fn draw(rng: &mut impl Rng) -> Coat {
        let long = happens(rng, 0.55);
        Coat {
            layer: between(rng, 0.020, 0.055),
            sleeve: between(rng, 0.012, 0.030),
            straight: between(rng, 0.90, 1.06),
            hem: if long { between(rng, 0.9, 1.5) } else { between(rng, 0.35, 0.7) },
            flare: if long { between(rng, 0.02, 0.08) } else { between(rng, 0.01, 0.04) },
            hood: happens(rng, 0.12),
            collar: between(rng, 0.02, 0.08),
            pockets: false,
            swing: 0.7,
        }
    }

    /// The same coat on another day: buttoned differently, over different clothes.
    pub fn on_another_day(&self, rng: &mut impl Rng) -> Coat {
        Coat {
            layer: self.layer * factor(rng, 0.2),
            sleeve: self.sleeve * factor(rng, 0.2),
            straight: self.straight * factor(rng, 0.03),
            hem: self.hem * factor(rng, 0.03),
            flare: (self.flare + spread(rng, 0.012)).max(0.0),
            pockets: happens(rng, 0.15),
            ..*self
        }
    }
}

impl Bag {
    /// Draws a person's bag.
    pub fn draw(rng: &mut impl Rng) -> Bag {
        let side = usize::from(happens(rng, 0.6));
        let size = factor(rng, 0.15);
        let carried = match between(rng, 0.0, 3.0) {
            at if at < 1.0 => Carried::InHand,
            at if at < 2.0 => Carried::OnShoulder,
            _ => Carried::OnBack,
        };
        Bag::sized(rng, carried, side, size)
    }

    /// A bag of the usual form, scaled by `size`.
    pub fn sized(rng: &mut impl Rng, carried: Carried, side: usize, size: f32) -> Bag {
        let half = match carried {
            Carried::InHand => vec3(0.15, 0.045, 0.13),
            Carried::OnShoulder => vec3(0.16, 0.05, 0.12),
            Carried::OnBack => vec3(0.09, 0.14, 0.21),
            Carried::Pulled => vec3(0.12, 0.18, 0.30),
            Carried::AtEar => vec3(0.0, 0.0, 0.0),
        };
        let scaled = vec3(half.x * factor(rng, 0.15), half.y, half.z * factor(rng, 0.15)) * size;
        Bag { carried, side, half: scaled }
    }

    /// The same bag on another day: fuller or emptier, sometimes on the other side.
    pub fn on_another_day(&self, rng: &mut impl Rng) -> Bag {
        let side = if happens(rng, 0.15) { 1 - self.side } else { self.side };
        Bag { side, half: self.half * factor(rng, 0.06), ..*self }
    }
}

impl Outfit {
    /// Thickness that the coat adds to the trunk.
    fn layer(&self) -> f32 {
        self.coat.map_or(0.0, |coat| coat.layer)
    }

    /// The ellipsoid of a trunk ring in space, clothes included.
    pub fn ring(&self, body: &Body, pose: &Pose, index: usize) -> Ellipsoid {
        let Ring { height, half_width, half_depth, forward } = self.clothed(body, index);
        let waist = body.trunk[2].height;
        let (base, frame) = match index {
            0 | 1 => (pose.pelvis + pose.waist_frame.up * height, &pose.pelvis_frame),
            2 => (pose.waist, &pose.waist_frame),
            _ => (pose.waist + pose.chest_frame.up * (height - waist), &pose.chest_frame),
        };
        let half = vec3(half_depth, half_width, 0.045 * body.stature);
        Ellipsoid::turned(base + frame.forward * forward, frame, half)
    }

    /// A ring of the trunk with its clothes. A coat adds its thickness and hangs straight from the
    /// widest section, which hides waist, belly and back.
    pub fn clothed(&self, body: &Body, index: usize) -> Ring {
        let own = body.trunk[index];
        let Some(coat) = self.coat else { return own };
        let widest = |side: fn(&Ring) -> f32| {
            coat.straight * body.trunk.iter().map(side).fold(0.0, f32::max) + coat.layer
        };
        let padded = |half: f32| half + coat.layer;
        if index + 1 == body.trunk.len() {
            // The coat rests on the shoulders, which keep their slope.
            let half_width = padded(own.half_width);
            let half_depth = padded(own.half_depth);
            return Ring { half_width, half_depth, ..own };
        }
        Ring {
            height: own.height,
            half_width: padded(own.half_width).max(widest(|ring| ring.half_width)),
            half_depth: padded(own.half_depth).max(widest(|ring| ring.half_depth)),
            forward: 0.5 * own.forward,
        }
    }

    /// Thickness that the coat adds to the arms.
    pub fn sleeve(&self) -> f32 {
        self.coat.map_or(0.0, |coat| coat.sleeve)
    }

    /// The hood around a head whose half depth, breadth and height are `size`, if it is up.
    pub fn hood(&self, pose: &Pose, size: Vec3) -> Option<Part> {
        self.coat.filter(|coat| coat.hood)?;
        let frame = &pose.head_frame;
        let over = Ellipsoid::turned(
            pose.head + frame.offset(vec3(-0.12 * size.x, 0.0, 0.12 * size.z)),
            frame,
            vec3(1.12 * size.x, 1.22 * size.y, 1.0 * size.z),
        );
        let nape = Ellipsoid::turned(
            pose.neck_root + pose.chest_frame.offset(vec3(-0.3 * size.x, 0.0, 0.1 * size.z)),
            &pose.chest_frame,
            vec3(0.75 * size.x, 1.15 * size.y, 0.3 * size.z),
        );
        Some(Part::new(Region::Head, [over, nape]))
    }

    /// The hat on a head whose half depth, breadth and height are `size`, if there is one.
    pub fn hat(&self, pose: &Pose, size: Vec3) -> Option<Part> {
        let Hat { crown, front, back } = self.hat?;
        let frame = &pose.head_frame;
        let placed = |forward: f32, up: f32, half: Vec3| {
            let offset = vec3(forward * size.x, 0.0, up * size.z);
            Ellipsoid::turned(pose.head + frame.offset(offset), frame, half)
        };
        let high = vec3(0.96 * size.x, 1.02 * size.y, 0.72 * size.z) * (1.0 + crown);
        let brim =
            vec3((0.9 + 0.5 * (front + back)) * size.x, (1.0 + back) * size.y, 0.06 * size.z);
        let middle = -0.06 + 0.5 * (front - back);
        Some(Part::new(Region::Head, [placed(-0.06, 0.34, high), placed(middle, 0.3, brim)]))
    }

    /// Changes the gait as clothes and load do.
    pub fn hinder(&self, gait: &mut Gait) {
        if let Some(coat) = self.coat {
            for side in [0, 1] {
                if coat.pockets {
                    gait.pocket_hand(side);
                } else {
                    gait.hinder_arm(side, coat.swing, 0.0, 90.0 * coat.layer);
                }
            }
            if coat.hem > 0.8 {
                gait.thigh = gait.thigh.map(|curve| curve.scaled(0.95, 0.0));
            }
        }
        match self.bag {
            Some(Bag { carried: Carried::InHand, side, .. }) => {
                gait.hinder_arm(side, 0.45, -14.0, 3.0);
                gait.chest_list *= 0.8;
            }
            Some(Bag { carried: Carried::OnShoulder, side, half }) => {
                gait.hinder_arm(side, 0.65, 4.0, 160.0 * half.y);
                gait.shrug += 0.006;
            }
            Some(Bag { carried: Carried::OnBack, .. }) => {
                gait.lean += 3.0;
                gait.neck_forward += 2.0;
                for side in [0, 1] {
                    gait.hinder_arm(side, 0.9, 4.0, 0.0);
                }
            }
            Some(Bag { carried: Carried::Pulled, side, .. }) => {
                gait.hinder_arm(side, 0.15, -18.0, 6.0);
                gait.shoulder[side] = gait.shoulder[side].scaled(1.0, -16.0);
            }
            Some(Bag { carried: Carried::AtEar, side, .. }) => {
                gait.hinder_arm(side, 0.1, 108.0, 16.0);
                gait.shoulder[side] = gait.shoulder[side].scaled(1.0, 42.0);
            }
            None => {}
        }
    }

    /// Adds the solids of coat and bag.
    pub fn hang(&self, body: &Body, pose: &Pose, earlier: &Pose, parts: &mut Vec<Part>) {
        if let Some(skirt) = self.skirt {
            self.hull(body, skirt, pose, earlier, parts);
        }
        if let Some(thickness) = self.scarf {
            let around = pose.neck_root.towards(pose.head, 0.35);
            let radius = body.girths.neck + thickness;
            parts.push(Part::cone(Region::Head, (pose.neck_root, radius), (around, 0.9 * radius)));
        }
        if let Some(coat) = &self.coat {
            let below = Skirt { hem: coat.hem, flare: coat.flare };
            self.hull(body, below, pose, earlier, parts);
            let root = (pose.neck_root, 1.25 * body.girths.neck + 0.4 * coat.layer);
            let top = pose.neck_root + (pose.head - pose.neck_root).unit() * coat.collar;
            let rim = (top, 1.15 * body.girths.neck + 0.3 * coat.layer);
            parts.push(Part::cone(Region::Coat, root, rim));
        }
        if let Some(bag) = &self.bag {
            carry(body, bag, self.layer(), pose, earlier, parts);
        }
    }

    /// A coat or a skirt below the hips: a hull from the seat to a hem that follows both thighs,
    /// delayed and damped as hanging cloth is.
    fn hull(
        &self,
        body: &Body,
        Skirt { hem, flare }: Skirt,
        pose: &Pose,
        earlier: &Pose,
        parts: &mut Vec<Part>,
    ) {
        let seat = self.ring(body, pose, 0);
        let [left, right] = [0, 1].map(|side| {
            let before = &earlier.legs[side];
            let swing = before.knee - before.hip;
            let damped = vec3(0.8 * swing.x, 0.9 * swing.y, swing.z);
            let radius = body.girths.thigh + 0.4 * self.layer() + flare;
            let half = vec3(radius, radius, 0.02);
            Ellipsoid::turned(pose.legs[side].hip + damped * hem, &Frame::UPRIGHT, half)
        });
        parts.push(Part::new(Region::Coat, [seat, left, right]));
    }
}

fn carry(body: &Body, bag: &Bag, layer: f32, pose: &Pose, earlier: &Pose, parts: &mut Vec<Part>) {
    let half = bag.half;
    match bag.carried {
        Carried::InHand => {
            // The bag hangs from the fingers and lags a little behind their swing.
            let hand = pose.arms[bag.side].fingers;
            let trail = (earlier.arms[bag.side].fingers - earlier.pelvis) - (hand - pose.pelvis);
            let centre = hand + vec3(0.5 * trail.x, 0.0, -half.z - 0.05);
            parts.push(Part::rounded_box(Region::Bag, centre, &Frame::UPRIGHT, half));
            parts.push(Part::cone(Region::Bag, (hand, 0.02), (centre, 0.03)));
        }
        Carried::OnShoulder => {
            let out = body.trunk[0].half_width + layer + 0.8 * half.y;
            let hip = vec3(-0.04, sign(bag.side) * out, 0.02);
            let centre = pose.pelvis + earlier.pelvis_frame.offset(hip);
            let frame = Frame::UPRIGHT.yaw(sign(bag.side) * 0.15);
            parts.push(Part::rounded_box(Region::Bag, centre, &frame, half));
            let shoulder = pose.arms[bag.side].shoulder.towards(pose.neck_root, 0.3);
            let strap = shoulder + pose.chest_frame.up * (body.girths.upper_arm + layer);
            parts.push(Part::cone(Region::Bag, (strap, 0.02), (centre, 0.03)));
        }
        Carried::OnBack => {
            let chest = &body.trunk[3];
            let behind = chest.half_depth + layer + 0.75 * half.x - chest.forward;
            let height = chest.height - body.trunk[2].height - 0.15 * half.z;
            let offset = vec3(-behind, 0.0, height);
            let centre = pose.waist + pose.chest_frame.offset(offset);
            let upper_half = vec3(0.75 * half.x, 0.85 * half.y, 0.35 * half.z);
            let lower_half = vec3(half.x, half.y, 0.45 * half.z);
            let frame = &pose.chest_frame;
            let upper = Ellipsoid::turned(centre + frame.up * (0.6 * half.z), frame, upper_half);
            let lower = Ellipsoid::turned(centre - frame.up * (0.5 * half.z), frame, lower_half);
            parts.push(Part::new(Region::Bag, [upper, lower]));
        }
        Carried::Pulled => {
            let hand = pose.arms[bag.side].fingers;
            let centre = vec3(hand.x - 0.18 - half.x, hand.y, half.z + 0.06);
            let frame = Frame::UPRIGHT.lean(0.35);
            parts.push(Part::rounded_box(Region::Bag, centre, &frame, half));
            let handle = centre + frame.up * half.z;
            parts.push(Part::cone(Region::Bag, (hand, 0.02), (handle, 0.02)));
        }
        Carried::AtEar => {}
    }
}
