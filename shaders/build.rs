//! Makes the kernel table from the WGSL files: each file is parsed and validated by naga with the capabilities of its tier, its
//! bindings and parameter struct are reflected, and Rust for them is written to `OUT_DIR/kernels.rs`. An invalid kernel fails the build.
//!
//! WGSL has no imports of its own: a line `#import NAME` stands for `wgsl/shared/NAME.wgsl`, once a kernel however often it is asked for.
//! The constants of those files become Rust constants in `OUT_DIR/shared.rs`, so that a channel or region has one number everywhere.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, Expression, Literal, ScalarKind, StorageAccess, TypeInner, VectorSize};

/// The tiers in ascending order, with the file name's infix, the table's variant and what naga may accept there.
fn tiers() -> [(&'static str, &'static str, Capabilities); 3] {
    let subgroup = Capabilities::SUBGROUP | Capabilities::SHADER_FLOAT16;
    [
        ("", "Base", Capabilities::empty()),
        ("subgroup", "Subgroup", subgroup),
        ("matrix", "Matrix", subgroup | Capabilities::COOPERATIVE_MATRIX),
    ]
}

#[derive(PartialEq, Clone, Debug)]
struct Binding {
    name: String,
    element: &'static str,
    lanes: usize,
    writes: bool,
}

#[derive(PartialEq, Clone, Debug)]
struct Member {
    name: String,
    ty: &'static str,
    offset: u32,
    size: u32,
}

#[derive(PartialEq, Clone, Debug)]
struct Interface {
    bindings: Vec<Binding>,
    members: Vec<Member>,
    params_size: u32,
}

struct Variant {
    tier: &'static str,
    /// The whole text, imports put in.
    source: String,
    workgroup: [u32; 3],
}

fn main() {
    println!("cargo::rerun-if-changed=wgsl");
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo"));
    let mut files = Vec::new();
    collect(&root.join("wgsl"), &mut files);
    let (shared, mut files): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|f| f.parent().is_some_and(|d| d.ends_with("shared")));
    let mut library = BTreeMap::new();
    for path in shared {
        let name = path.file_stem().expect("a file").to_string_lossy().into_owned();
        library.insert(name, fs::read_to_string(&path).expect("readable WGSL"));
    }
    // By stem, so that the base tier's `name` comes before `name.subgroup`.
    files.sort_by_key(|f| f.file_stem().map(ToOwned::to_owned));

    let mut kernels: BTreeMap<String, (Interface, Vec<Variant>)> = BTreeMap::new();
    for path in files {
        let stem = path.file_stem().expect("a file").to_string_lossy().into_owned();
        let (name, infix) = stem.split_once('.').unwrap_or((&stem, ""));
        let Some((_, tier, caps)) = tiers().into_iter().find(|t| t.0 == infix) else {
            panic!("{}: unknown tier `{infix}`; use NAME.wgsl, NAME.subgroup.wgsl or NAME.matrix.wgsl", path.display());
        };
        let mut source = String::new();
        expand(&path, &fs::read_to_string(&path).expect("readable WGSL"), &library, &mut Vec::new(), &mut source);
        let (interface, workgroup) = reflect(&path, &source, caps);
        let variant = Variant { tier, source, workgroup };
        match kernels.get_mut(name) {
            None => {
                kernels.insert(name.to_owned(), (interface, vec![variant]));
            }
            Some((first, variants)) => {
                assert!(
                    *first == interface,
                    "{}: its bindings or parameters differ from the base tier's\n{first:?}\n{interface:?}",
                    path.display()
                );
                variants.push(variant);
            }
        }
    }
    let mut out = String::new();
    for (name, (interface, variants)) in &kernels {
        assert!(variants[0].tier == "Base", "{name}: every kernel needs a base-tier file");
        emit(&mut out, name, interface, variants);
    }
    writeln!(out, "/// Every kernel, by name.\npub static ALL: &[&Kernel] = &[").unwrap();
    for name in kernels.keys() {
        writeln!(out, "    &{},", name.to_uppercase()).unwrap();
    }
    writeln!(out, "];").unwrap();
    emit_offset_test(&mut out, &kernels);
    let target = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo"));
    fs::write(target.join("kernels.rs"), out).expect("OUT_DIR is writable");
    fs::write(target.join("shared.rs"), emit_constants(&library)).expect("OUT_DIR is writable");
}

/// Appends `text` to `out` with its imports in their places; `known` are those that are in `out` already.
fn expand(path: &Path, text: &str, library: &BTreeMap<String, String>, known: &mut Vec<String>, out: &mut String) {
    for line in text.lines() {
        let Some(name) = line.strip_prefix("#import ") else {
            out.push_str(line);
            out.push('\n');
            continue;
        };
        let shared = library.get(name).unwrap_or_else(|| {
            let names: Vec<_> = library.keys().map(String::as_str).collect();
            panic!("{}: there is no wgsl/shared/{name}.wgsl to import; there are {}", path.display(), names.join(", "))
        });
        if !known.iter().any(|k| k == name) {
            known.push(name.to_owned());
            expand(path, shared, library, known, out);
        }
    }
}

/// A module for each shared file, with the file's constants.
fn emit_constants(library: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    for (file, text) in library {
        let mut source = String::new();
        let path = PathBuf::from(format!("wgsl/shared/{file}.wgsl"));
        expand(&path, text, library, &mut vec![file.clone()], &mut source);
        let module = parse(&path, &source);
        let mut lines = String::new();
        for (_, constant) in module.constants.iter() {
            // Those of a file that this one imports stand in that file's module.
            let Some(name) = constant.name.as_ref().filter(|name| text.contains(&format!("const {name}"))) else {
                continue;
            };
            let (ty, value) = match module.global_expressions[constant.init] {
                Expression::Literal(Literal::U32(value)) => ("u32", value.to_string()),
                Expression::Literal(Literal::F32(value)) => ("f32", format!("{value:?}")),
                ref other => {
                    panic!("{}: {name} is {other:?}; shared constants are u32 or f32 literals", path.display())
                }
            };
            writeln!(lines, "    /// `{name}` of the WGSL file.\n    pub const {name}: {ty} = {value};").unwrap();
        }
        if !lines.is_empty() {
            writeln!(out, "/// Constants of `{}`.\npub mod {file} {{\n{lines}}}", path.display()).unwrap();
        }
    }
    out
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display())) {
        let path = entry.expect("readable folder").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|e| e == "wgsl") {
            files.push(path);
        }
    }
}

fn parse(path: &Path, source: &str) -> naga::Module {
    naga::front::wgsl::parse_str(source).unwrap_or_else(|e| panic!("{}\n{}", path.display(), e.emit_to_string(source)))
}

fn reflect(path: &Path, source: &str, caps: Capabilities) -> (Interface, [u32; 3]) {
    let module = parse(path, source);
    Validator::new(ValidationFlags::all(), caps)
        .validate(&module)
        .unwrap_or_else(|e| panic!("{}\n{}", path.display(), e.emit_to_string(source)));
    let entry = module
        .entry_points
        .iter()
        .find(|e| e.name == "main")
        .unwrap_or_else(|| panic!("{}: no entry point `main`", path.display()));

    let mut interface = Interface { bindings: Vec::new(), members: Vec::new(), params_size: 0 };
    let mut globals: Vec<_> =
        module.global_variables.iter().filter_map(|(_, g)| g.binding.as_ref().map(|b| (b.binding, g))).collect();
    globals.sort_by_key(|g| g.0);
    for (index, (binding, global)) in globals.iter().enumerate() {
        let name = global.name.clone().unwrap_or_default();
        assert!(*binding as usize == index, "{}: bindings must be 0, 1, 2 … without gaps", path.display());
        match global.space {
            AddressSpace::Uniform => {
                assert!(index == 0, "{}: the parameters are binding 0", path.display());
                let TypeInner::Struct { members, span } = &module.types[global.ty].inner else {
                    panic!("{}: the parameters are one struct", path.display());
                };
                interface.params_size = *span;
                for m in members {
                    let (ty, size) = param_type(&module.types[m.ty].inner).unwrap_or_else(|| {
                        panic!("{}: {:?}: parameters are u32, i32, f32 and their vectors", path.display(), m.name)
                    });
                    interface.members.push(Member {
                        name: m.name.clone().unwrap_or_default(),
                        ty,
                        offset: m.offset,
                        size,
                    });
                }
            }
            AddressSpace::Storage { access } => {
                assert!(index > 0, "{}: binding 0 holds the parameters", path.display());
                let TypeInner::Array { base, .. } = module.types[global.ty].inner else {
                    panic!("{}: `{name}` must be an array", path.display());
                };
                let (element, lanes) = element_type(&module.types[base].inner).unwrap_or_else(|| {
                    panic!("{}: `{name}`: elements are f32 and u32, their vec4, and vec2<f32>", path.display())
                });
                let writes = access.contains(StorageAccess::STORE);
                interface.bindings.push(Binding { name, element, lanes, writes });
            }
            other => panic!("{}: `{name}`: {other:?} bindings are not used here", path.display()),
        }
    }
    (interface, entry.workgroup_size)
}

fn param_type(inner: &TypeInner) -> Option<(&'static str, u32)> {
    Some(match inner {
        TypeInner::Scalar(s) if s.width == 4 => (scalar(s.kind)?, 4),
        TypeInner::Vector { size, scalar: s } if s.width == 4 => match (scalar(s.kind)?, size) {
            ("f32", VectorSize::Bi) => ("[f32; 2]", 8),
            ("f32", VectorSize::Tri) => ("[f32; 3]", 12),
            ("f32", VectorSize::Quad) => ("[f32; 4]", 16),
            ("u32", VectorSize::Bi) => ("[u32; 2]", 8),
            ("u32", VectorSize::Quad) => ("[u32; 4]", 16),
            _ => return None,
        },
        _ => return None,
    })
}

/// What an array is made of, by its name in the table, and how many of them an entry has.
fn element_type(inner: &TypeInner) -> Option<(&'static str, usize)> {
    let (kind, lanes) = match inner {
        TypeInner::Scalar(s) | TypeInner::Atomic(s) if s.width == 4 => (s.kind, 1),
        TypeInner::Vector { size: VectorSize::Bi, scalar: s } if s.width == 4 => (s.kind, 2),
        TypeInner::Vector { size: VectorSize::Quad, scalar: s } if s.width == 4 => (s.kind, 4),
        _ => return None,
    };
    match (kind, lanes) {
        (ScalarKind::Float, _) => Some(("F32", lanes)),
        (ScalarKind::Uint, 1 | 4) => Some(("U32", lanes)),
        _ => None,
    }
}

fn scalar(kind: ScalarKind) -> Option<&'static str> {
    match kind {
        ScalarKind::Float => Some("f32"),
        ScalarKind::Uint => Some("u32"),
        ScalarKind::Sint => Some("i32"),
        _ => None,
    }
}

fn camel(name: &str) -> String {
    name.split('_').map(|w| w[..1].to_uppercase() + &w[1..]).collect()
}

fn emit(out: &mut String, name: &str, interface: &Interface, variants: &[Variant]) {
    let (upper, params) = (name.to_uppercase(), format!("{}Params", camel(name)));
    writeln!(out, "/// Parameters of [`{upper}`], laid out as its WGSL struct.\n#[repr(C)]\n#[derive(Clone, Copy, Debug, Default, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]\npub struct {params} {{").unwrap();
    let mut at = 0;
    let mut gaps = Vec::new();
    for m in &interface.members {
        if m.offset > at {
            gaps.push(at);
            writeln!(
                out,
                "    /// Padding that WGSL's alignment puts here.\n    pub pad_{at}: [u32; {}],",
                (m.offset - at) / 4
            )
            .unwrap();
        }
        writeln!(out, "    /// `{}` of the kernel.\n    pub {}: {},", m.name, m.name, m.ty).unwrap();
        at = m.offset + m.size;
    }
    if interface.params_size > at {
        writeln!(
            out,
            "    /// Padding that WGSL's alignment puts here.\n    pub pad_{at}: [u32; {}],",
            (interface.params_size - at) / 4
        )
        .unwrap();
    }
    writeln!(out, "}}\nimpl KernelParams for {params} {{\n    const KERNEL: &'static Kernel = &{upper};\n}}").unwrap();

    writeln!(out, "/// Kernel `{name}`: see its WGSL file and `cpu::{name}`.\npub static {upper}: Kernel = Kernel {{\n    name: {name:?},\n    variants: &[")
        .unwrap();
    for v in variants {
        writeln!(
            out,
            "        Variant {{ tier: Tier::{}, source: {:?}, workgroup: {:?} }},",
            v.tier, v.source, v.workgroup
        )
        .unwrap();
    }
    writeln!(out, "    ],\n    bindings: &[").unwrap();
    for b in &interface.bindings {
        let Binding { name, element, lanes, writes } = b;
        writeln!(
            out,
            "        Binding {{ name: {name:?}, element: Element::{element}, lanes: {lanes}, writes: {writes} }},"
        )
        .unwrap();
    }
    writeln!(out, "    ],\n    params_size: {},\n    twin: twin_{name},\n}};", interface.params_size).unwrap();

    let (reads, writes): (Vec<_>, Vec<_>) = interface.bindings.iter().partition(|b| !b.writes);
    let list = |v: &[&Binding]| v.iter().map(|b| format!("b_{}", b.name)).collect::<Vec<_>>().join(", ");
    writeln!(out, "fn twin_{name}(params: &[u8], reads: &[&[u32]], writes: &mut [&mut [u32]]) {{").unwrap();
    writeln!(out, "    let p: &{params} = bytemuck::from_bytes(params);").unwrap();
    writeln!(
        out,
        "    let [{}] = reads else {{ unreachable!(\"the plan checked the number of bindings\") }};",
        list(&reads)
    )
    .unwrap();
    writeln!(
        out,
        "    let [{}] = writes else {{ unreachable!(\"the plan checked the number of bindings\") }};",
        list(&writes)
    )
    .unwrap();
    let args: Vec<_> = interface
        .bindings
        .iter()
        .map(|b| format!("bytemuck::{}(b_{})", if b.writes { "cast_slice_mut" } else { "cast_slice" }, b.name))
        .collect();
    writeln!(out, "    crate::cpu::{name}::{name}(p, {});\n}}", args.join(", ")).unwrap();
}

/// The Rust structs above are written from naga's reflection; this checks that the compiler laid them out the same way.
fn emit_offset_test(out: &mut String, kernels: &BTreeMap<String, (Interface, Vec<Variant>)>) {
    writeln!(
        out,
        "#[cfg(test)]\nmod layout {{\n    #[test]\n    fn parameter_structs_have_the_offsets_that_naga_reflected() {{"
    )
    .unwrap();
    for (name, (interface, _)) in kernels {
        let params = format!("super::{}Params", camel(name));
        writeln!(out, "        assert_eq!(core::mem::size_of::<{params}>(), {});", interface.params_size).unwrap();
        for m in &interface.members {
            writeln!(out, "        assert_eq!(core::mem::offset_of!({params}, {}), {});", m.name, m.offset).unwrap();
        }
    }
    writeln!(out, "    }}\n}}").unwrap();
}
