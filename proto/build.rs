fn main() {
    let fds = protox::compile(["passerelle/v1/common.proto"], ["."]).unwrap();
    tonic_prost_build::configure().compile_fds(fds).unwrap();
}
