//! Embeds the built console, which `make console` puts into `console/`. Where it was not built the server says so, and all else is as it is: no build of
//! this crate needs Node.js.

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=console");
    let folder = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("console");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut text = if folder.join("index.html").is_file() {
        let page = copied(&folder, &out, "index.html")?;
        format!("const PAGE: Option<&str> = Some(include_str!({page:?}));\n")
    } else {
        "const PAGE: Option<&str> = None;\n".to_owned()
    };
    text.push_str("const FILES: &[File] = &[\n");
    let mut names = Vec::new();
    collect(&folder, &folder, &mut names)?;
    names.sort();
    for name in names {
        let brotli = copied(&folder, &out, &format!("{name}.br"))?;
        let gzip = copied(&folder, &out, &format!("{name}.gz"))?;
        writeln!(
            text,
            "    File {{ name: {name:?}, brotli: include_bytes!({brotli:?}), gzip: include_bytes!({gzip:?}) }},"
        )?;
    }
    text.push_str("];\n");
    fs::write(out.join("console.rs"), text)?;
    Ok(())
}

/// A copy of a file, so that what is compiled is what was listed, also while the next console is built.
fn copied(folder: &Path, out: &Path, name: &str) -> Result<PathBuf, Box<dyn Error>> {
    let to = out.join("console").join(name);
    fs::create_dir_all(to.parent().unwrap_or(out))?;
    fs::copy(folder.join(name), &to)?;
    Ok(to)
}

/// The names of the files that are there as brotli, which are there as gzip too.
fn collect(root: &Path, folder: &Path, names: &mut Vec<String>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, names)?;
        } else if path.extension().is_some_and(|extension| extension == "br") {
            let name = path.with_extension("");
            names.push(name.strip_prefix(root)?.to_string_lossy().replace('\\', "/"));
        }
    }
    Ok(())
}
