//! The ceiling for HTTP on a machine: a server that returns the same bytes to every request and looks at nothing.
//!
//! `static_server PORT BYTES`: HTTP/1.1 with keep-alive on 127.0.0.1, one blocking thread a connection. Built by
//! `tests/bench/run.py` with rustc alone.

use std::{
    env, io,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().collect();
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse::<usize>().ok());
    let (Some(port), Some(size)) = (number(1), number(2)) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "usage: static_server PORT BYTES"));
    };
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/geo+json\r\nContent-Length: {size}\r\n\r\n");
    let answer: Arc<[u8]> = [head.into_bytes(), vec![b'x'; size]].concat().into();
    for stream in TcpListener::bind(("127.0.0.1", port as u16))?.incoming() {
        let (stream, answer) = (stream?, Arc::clone(&answer));
        thread::spawn(move || serve(stream, &answer));
    }
    Ok(())
}

/// Answers every blank line, which ends a request without a body, until the client leaves.
fn serve(mut stream: TcpStream, answer: &[u8]) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = [0_u8; 8192];
    let mut filled = 0;
    loop {
        match stream.read(&mut buffer[filled..])? {
            0 => return Ok(()),
            read => filled += read,
        }
        let requests = buffer[..filled].windows(4).filter(|bytes| *bytes == b"\r\n\r\n").count();
        for _ in 0..requests {
            stream.write_all(answer)?;
        }
        if requests > 0 {
            filled = 0;
        }
    }
}
