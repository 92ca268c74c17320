// What each vertex shows in this frame, gathered from the triangles around it.
// look (V · 3): row 0 source x, y px, own, trust · row 1 paint RGB, gain · row 2 eye x, y (skin: under, 0), lid, steer.
//   own    1 where the mesh decides what a pixel shows, 0 where the smooth field around it does
//   trust  1 where the warped portrait is right, 0 where paint must stand in
//   steer  1 where what lies beside the mesh follows it, −1 where it stays with the skull whatever the face does (ears, scalp)
//   under  1 where paint stands behind the portrait's people: skin that turned into view beside them, in front of the background
//   gain   light on the driven face over light on the portrait, linear
//   lid    light on the driven face over light on the face with its eyes shut, as the portrait stands: for lid_paint
#import harmonics

struct Params {
    vertices: u32,
    gain_power: f32,
    blink: vec2<u32>, // places of the two blinks in beta
    rest: vec2<f32>, // their values in the portrait
    jaw: u32, // place of the open jaw in beta
    parted: f32, // how far the lips are apart in the portrait, as a share of their range
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> first: array<u32>; // (V + 1): where a vertex's triangles begin in `around`
@group(0) @binding(2) var<storage, read> around: array<u32>;
@group(0) @binding(3) var<storage, read> stretch: array<vec4<f32>>; // (F), see triangle_stretch
@group(0) @binding(4) var<storage, read> normals: array<vec4<f32>>; // (V), camera space
// (V · 4): source x, y px, seen, own · paint RGB, light with shut eyes · rim, lid, lip (below 0: frown; above 1: plus nearness to where the lips meet), part (0 skin, 1 eye, 2 mouth; skin: plus 0.4 × the share of
// `under` that it may take) · facing, light, then for skin: light of the
// paint, nearness to an eye's rim (right eye negative); for eyes: eye x, eye y.
// The mouth has other rows: (how far the upper row shades it, what a wide mouth adds to it, 0, part) · RGB of the glow between nearly shut rows, 0
@group(0) @binding(5) var<storage, read> fixed: array<vec4<f32>>;
// (10 + 64 + 64): SH of order 2, then its floor, then how far each expression parts the lips, then the portrait's expressions
@group(0) @binding(6) var<storage, read> light: array<f32>;
@group(0) @binding(7) var<storage, read> beta: array<f32>;
@group(0) @binding(8) var<storage, read_write> look: array<vec4<f32>>;

fn shade(n: vec3<f32>) -> f32 {
    let s = Y_0 * light[0]
        + Y_1 * (light[1] * n.y + light[2] * n.z + light[3] * n.x)
        + Y_2 * (light[4] * n.x * n.y + light[5] * n.y * n.z + light[7] * n.x * n.z)
        + Y_20 * light[6] * (3.0 * n.z * n.z - 1.0)
        + Y_22 * light[8] * (n.x * n.x - n.y * n.y);
    // Soft from below: shadows never go under the floor.
    let d = s - light[9];
    return light[9] + 0.5 * (d + sqrt(d * d + 0.04 * light[9] * light[9]));
}

// How far the lips are from where they are in the portrait: by the gap between them, and where the portrait shows them apart by every expression that moves them.
fn lips_moved() -> f32 {
    var gap = 0.0;
    var all = 0.0;
    for (var i = 0u; i < 64u; i++) {
        let slope = light[10u + i];
        gap += slope * beta[i];
        all += abs(slope * (beta[i] - light[74u + i]));
    }
    return abs(max(gap, 0.0) - p.parted) + all * smoothstep(0.03, 0.1, p.parted);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let v = id.x;
    if (v >= p.vertices) {
        return;
    }
    var sum = vec3<f32>(0.0);
    for (var i = first[v]; i < first[v + 1u]; i++) {
        sum += stretch[around[i]].xyz;
    }
    let low = (sum.x + 0.001) / (sum.z + 0.001);
    let off = sum.y / (sum.z + 0.001);

    let at = fixed[v * 4u];
    let paint = fixed[v * 4u + 1u];
    let zone = fixed[v * 4u + 2u];
    let lit = fixed[v * 4u + 3u];
    let n = normals[v].xyz;
    if (zone.w > 0.5) {
        // Eyes and mouth: paint, or the portrait where it shows this very point.
        // Nearly shut, the upper row stands before the lower and keeps its light; what little falls between them bounces from tooth to tooth.
        let mouth = select(0.0, 1.0, zone.w > 1.5);
        let shut = mouth * (1.0 - smoothstep(0.1, 0.42, beta[p.jaw]));
        let wide = mouth * smoothstep(0.2, 0.5, beta[p.jaw]);
        let soft = (1.0 - 0.3 * mouth * (1.0 - clamp(n.z, 0.0, 1.0))) * (1.0 - zone.x * shut) * (1.0 + zone.y * wide);
        look[v * 3u] = vec4<f32>(at.xy, 1.0, at.z);
        look[v * 3u + 1u] = vec4<f32>(paint.xyz * soft + lit.xyz * shut, 1.0);
        look[v * 3u + 2u] = vec4<f32>(lit.z, lit.w, 1.0, 0.0);
        return;
    }
    // Rims above 1 are the neck's: what a turning jaw uncovers there is skin, whatever the portrait's outline was.
    let outline = min(zone.x, 1.0);
    let neck = clamp(zone.x - 1.0, 0.0, 1.0);
    let facing = mix(min(n.z, lit.x), n.z, neck);
    let mine = max(at.w, 0.0);
    let own = mine * (1.0 - outline * (1.0 - smoothstep(0.08, 0.42, facing)));
    let steer = mine * (1.0 - outline * (1.0 - smoothstep(0.0, 0.15, facing))) + min(at.w, 0.0);
    let now = shade(n);
    let graze = smoothstep(0.15, 0.5, n.z) * smoothstep(0.15, 0.5, lit.x);
    let ratio = clamp(now / lit.y, 0.5, 1.8);

    let need = smoothstep(0.35, 1.0, off);
    let sharp = smoothstep(0.45, 0.85, low);
    let lid = 1.0 - 0.88 * zone.y * (1.0 - sharp);
    // Where the lips meet the portrait may show the line between them, or teeth: no lip's edge keeps that when they part or close.
    var apart = 0.0;
    if (zone.z > 1.0) {
        apart = (zone.z - 1.0) * smoothstep(0.015, 0.09, lips_moved());
    }
    let lip = 1.0 - max(clamp(zone.z, 0.0, 1.0) * need * (1.0 - at.z * sharp), apart * (1.0 - at.z));
    // Drawn brows fold the mesh along the middle of the forehead more sharply than skin does: light stays as it was there.
    let fold = max(-zone.z, 0.0) * smoothstep(0.04, 0.2, off);
    let gain = 1.0 + (pow(ratio, p.gain_power) - 1.0) * graze * (1.0 - fold);
    // A closing eye hides its rims; what the portrait shows of them, lashes and wet edges, would be smeared.
    let shut = select(beta[p.blink.x] - p.rest.x, beta[p.blink.y] - p.rest.y, lit.w < 0.0);
    let rim = 1.0 - abs(lit.w) * smoothstep(0.25, 0.7, shut);
    let hidden = 1.0 - mix(need, smoothstep(0.05, 0.25, off), neck) * (1.0 - at.z);
    let bend = clamp(now / lit.z, 0.82, 1.25);
    look[v * 3u] = vec4<f32>(at.xy, own, min(min(lid, lip), min(rim, hidden)));
    look[v * 3u + 1u] = vec4<f32>(paint.xyz * pow(bend, 0.7), gain);
    let under = 2.5 * zone.w * smoothstep(0.03, 0.1, n.z - lit.x) * smoothstep(-0.1, 0.05, n.z);
    look[v * 3u + 2u] = vec4<f32>(under, 0.0, pow(clamp(now / paint.w, 0.7, 1.4), 0.7), steer);
}
