//! `seeds FOLDER`: makes the first inputs of every reader of foreign bytes, with the product's own code.

use std::path::PathBuf;

use anyhow::Context as _;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from).context("usage: seeds FOLDER")?;
    passerelle_tests::seeds::make(&folder).await
}
