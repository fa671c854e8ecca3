//! `componentize MODULE COMPONENT`: makes a component of a core module.

use std::error::Error;

use wit_component::ComponentEncoder;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [module, component] = &arguments[..] else {
        return Err("usage: componentize MODULE COMPONENT".into());
    };
    let module = std::fs::read(module)?;
    let bytes = ComponentEncoder::default()
        .validate(true)
        .module(&module)?
        .encode()?;
    std::fs::write(component, bytes)?;
    Ok(())
}
