// Cuts the person out of a picture that HEF has changed. The network knows them before their own background: what of its picture is not background by its
// matte is the person, premultiplied, and laid over that background again they give its picture exactly. The matte may
// say nothing that the picture belies. A colour darker than the background, or lighter than white over it, tells how much of the person there is at least;
// what differs from the background stays a person if the geometric cut-out had one, and what does not becomes none. Where there is no need that cut-out
// stays, to the bit.
// Before another background an outline that the network only hints at is ragged. With `outline` the geometric cut-out's therefore stays: within it the network
// draws where it is sure of the person, and what it adds outside (an ear behind a turned cheek) must be sure too.
#import crop
#import hef_channels
#import sampling

struct Params {
    size: u32,
    crop: u32,
    left: f32, // of the crop, px of the picture
    top: f32,
    step: f32, // px of the picture for one of the crop
    fade: f32, // how far from its edges the crop counts in full, px of the crop
    trust: f32, // share of the matte that is believed, 0..1
    outline: u32, // 1 keeps the geometric cut-out's
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> result: array<f32>; // (6, crop, crop): see hef_finish
@group(0) @binding(2) var<storage, read> driven: array<f32>; // (16, crop, crop): see hef_inputs
@group(0) @binding(3) var<storage, read> picture: array<vec4<f32>>; // (size²): RGB over the background, with HEF's changes
@group(0) @binding(4) var<storage, read> pictures: array<vec4<f32>>; // (2 · size²): portrait, then background (RGB, 0)
@group(0) @binding(5) var<storage, read_write> person: array<vec4<f32>>; // (size²): RGB · alpha, alpha

// How far a picture of the background alone may be from the background, linear light.
const NOISE = 0.02;
// Between which differences of square roots of light a picture gets certain not to be the background.
const ALIKE = 0.03;
const OTHER = 0.12;
// Between which of the network's mattes a person gets sure: within the outline, and outside.
const SURE = vec2<f32>(0.7, 0.95);
const ADDED = vec2<f32>(0.9, 0.99);

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.size || id.y >= p.size) {
        return;
    }
    let at = crop_position(id.xy, vec2<f32>(p.left, p.top), p.step);
    let margin = crop_margin(at, f32(p.crop));
    if (margin <= 0.0) {
        return;
    }
    let s = spot(at, p.crop);
    let plane = p.crop * p.crop;
    let n = DRIVEN_NEED * plane + s.k;
    let need = bilinear(driven[n], driven[n + 1u], driven[n + p.crop], driven[n + p.crop + 1u], s.t);
    if (need <= 0.0) {
        return;
    }
    let m = RESULT_MATTE * plane + s.k;
    let matte = bilinear(result[m], result[m + 1u], result[m + p.crop], result[m + p.crop + 1u], s.t);
    let k = id.y * p.size + id.x;
    let behind = pictures[p.size * p.size + k].xyz;
    let off = picture[k].xyz - behind;
    let least = max((-off - NOISE) / max(behind, vec3<f32>(NOISE)), (off - NOISE) / max(1.0 - behind, vec3<f32>(NOISE)));
    let apart = abs(sqrt(max(picture[k].xyz, vec3<f32>(0.0))) - sqrt(behind));
    let other = smoothstep(ALIKE, OTHER, max(apart.x, max(apart.y, apart.z)));
    let before = clamp(person[k].w, 0.0, 1.0);
    if (p.outline == 1u) {
        let sure = smoothstep(SURE.x, SURE.y, matte);
        let share = max(before, smoothstep(ADDED.x, ADDED.y, matte) * other);
        let drawn = mix(person[k].xyz, off + share * behind, mix(1.0, sure, before));
        person[k] = vec4<f32>(clamp(drawn, vec3<f32>(0.0), vec3<f32>(share)), share);
        return;
    }
    let owned = clamp(max(matte, max(least.x, max(least.y, least.z))), before * other, mix(other, 1.0, before));
    let alpha = mix(person[k].w, owned, need * p.trust * min(margin / p.fade, 1.0));
    person[k] = vec4<f32>(off + alpha * behind, alpha);
}
