"""What benchmarks compare with: other libraries' decoders, and training as others write it."""
