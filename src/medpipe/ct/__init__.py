"""What a CT scan is: volume and geometry, readers, intake gate, resampling, lung mask, phantom."""
