//! What the program reads and writes beyond its libraries: embeddings as files. The commands are in
//! the binary.

pub mod embedding_file;
