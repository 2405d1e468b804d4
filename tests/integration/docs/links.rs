//! Links between the pages: each leads to a file and a heading, in the repository and in the package.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::support::docs::{Page, pages};

/// Where the package has its documentation.
const INSTALLED: &str = "usr/share/doc/dnsherald";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The pages of the book, and the others that have links.
fn linked_pages() -> Vec<Page> {
    let mut all = pages();
    let others = [
        "CONTRIBUTING.md",
        "SECURITY.md",
        "exabgp-configs/README.md",
        "tests/backends/README.md",
        "tests/differential/README.md",
        "tests/failures/README.md",
        "tests/host/README.md",
        "tests/lab/README.md",
    ];
    all.extend(
        others
            .map(|path| Page { path: path.to_owned(), text: fs::read_to_string(root().join(path)).unwrap() }),
    );
    all
}

/// The targets of all links and pictures, each with the number of its line.
fn targets(page: &Page) -> Vec<(usize, String)> {
    let prose = page.prose();
    let of_line = |(number, line): (usize, &str)| {
        // Links are not looked for in code.
        let outside: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        let ends = outside.match_indices("](").map(|(at, _)| &outside[at + 2..]);
        let targets = ends.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target.to_owned());
        targets.map(|target| (number + 1, target)).collect::<Vec<_>>()
    };
    let found: Vec<_> = prose.lines().enumerate().flat_map(of_line).collect();
    found.into_iter().filter(|(_, target)| !target.contains("://")).collect()
}

/// The anchors of the headings of a page, as GitHub and mdBook make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let page = Page { path: String::new(), text: text.to_owned() };
    let anchor = |line: &str| {
        let heading = line.strip_prefix('#')?.trim_start_matches('#').strip_prefix(' ')?;
        let kept = heading.to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        Some(kept.map(|c| if c == ' ' { '-' } else { c }).collect())
    };
    page.prose().lines().filter_map(anchor).collect()
}

/// The path of `target` seen from the directory of `page`, without `..`.
fn seen_from(page: &Path, target: &str) -> PathBuf {
    let mut place = page.parent().unwrap().to_path_buf();
    for part in Path::new(target).components() {
        match part {
            Component::ParentDir => assert!(place.pop(), "{} leaves the repository", page.display()),
            Component::Normal(name) => place.push(name),
            _ => {}
        }
    }
    place
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut broken = vec![];
    let mut count = 0;
    for page in linked_pages() {
        for (line, target) in targets(&page) {
            let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let path = match file {
                "" => PathBuf::from(&page.path),
                file => seen_from(Path::new(&page.path), file),
            };
            let absolute = root().join(&path);
            let is_there = match anchor {
                "" => absolute.exists(),
                anchor => fs::read_to_string(&absolute).is_ok_and(|text| anchors(&text).contains(anchor)),
            };
            if !is_there {
                broken.push(format!("{}:{line}: {target}", page.path));
            }
            count += 1;
        }
    }
    assert_eq!(broken, [""; 0]);
    assert!(count > 50, "{count} links");
}

/// The assets of Cargo.toml as files: the path in the repository, and the path that it gets.
fn installed() -> Vec<(PathBuf, PathBuf)> {
    let manifest: toml::Table = fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let assets = manifest["package"]["metadata"]["deb"]["assets"].as_array().unwrap();
    let mut files = vec![];
    for asset in assets {
        let [from, to] = [0, 1].map(|number| asset[number].as_str().unwrap());
        // What the build makes is no page, and links to no page.
        if from.starts_with("target/") {
            continue;
        }
        match from.split_once('*') {
            None if to.ends_with('/') => {
                files.push((PathBuf::from(from), Path::new(to).join(Path::new(from).file_name().unwrap())));
            }
            None => files.push((PathBuf::from(from), PathBuf::from(to))),
            Some((folder, pattern)) => {
                let is_deep = pattern.starts_with("*/");
                below(Path::new(folder), Path::new(to), is_deep, &mut files);
            }
        }
    }
    files
}

/// The files of a directory, and with `is_deep` those of its directories, where they are installed.
fn below(folder: &Path, to: &Path, is_deep: bool, files: &mut Vec<(PathBuf, PathBuf)>) {
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let name = PathBuf::from(entry.unwrap().file_name());
        let (from, to) = (folder.join(&name), to.join(&name));
        match root().join(&from).is_dir() {
            true if is_deep => below(&from, &to, is_deep, files),
            true => {}
            false => files.push((from, to)),
        }
    }
}

#[test]
fn every_link_in_the_package_leads_to_what_it_has() {
    let files = installed();
    let has = |path: &Path| files.iter().any(|(_, to)| to.starts_with(path));
    let mut broken = vec![];
    for (from, to) in files.iter().filter(|(from, _)| from.extension().is_some_and(|name| name == "md")) {
        let text = fs::read_to_string(root().join(from)).unwrap();
        let page = Page { path: from.to_str().unwrap().to_owned(), text };
        for (line, target) in targets(&page) {
            let file = target.split('#').next().unwrap();
            if !file.is_empty() && !has(&seen_from(to, file)) {
                broken.push(format!("{}:{line}: {target}", page.path));
            }
        }
    }
    assert_eq!(broken, [""; 0], "not in the package");
}

#[test]
fn the_package_has_every_page_and_the_summary_lists_it() {
    let files = installed();
    let summary = fs::read_to_string(root().join("docs/SUMMARY.md")).unwrap();
    for page in pages() {
        let to = Path::new(INSTALLED).join(&page.path);
        assert!(files.iter().any(|(_, there)| *there == to), "the package lacks {}", page.path);
        let name = page.path.strip_prefix("docs/").unwrap_or("README.md");
        assert!(name == "SUMMARY.md" || summary.contains(&format!("]({name})")), "SUMMARY.md lacks {name}");
    }
}
