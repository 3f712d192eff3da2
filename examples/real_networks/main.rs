//! Measures the engine on real networks: `real_networks FOLDER OUT_DIR [--confirm]`.
mod data;
mod describe;
use std::error::Error;
fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let data = data::Data::read(words[0].as_ref())?;
    describe::write(&data, words[1].as_ref())?;
    Ok(())
}
