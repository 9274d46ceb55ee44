"""Two sets of networks on the same test scans."""
