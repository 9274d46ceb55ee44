"""medpipe: CT lesion detection by CNNs and new molecules by a GAN, as two Kedro pipelines.

The library, which imports no Kedro and no MLflow and can be used from a notebook:

- `medpipe.ct`: what a CT scan is: readers, the gate, labels, preprocessing, the scan store, the phantom;
- `medpipe.nodules`: detection, segmentation, classification, their evaluation, findings of new scans;
- `medpipe.molecules`: intake, encoding, generation, metrics, properties, optimisation;
- `medpipe.training`, `medpipe.reporting`, `medpipe.promotion`: the Trainer, pictures and pages, the rule of promotion;
- `medpipe.core`: parameters, errors, atomic files, fingerprints.

Around it: `medpipe.pipelines` (wiring), `medpipe.datasets`, `medpipe.hooks`, `medpipe.runners`, `medpipe.registry`,
`medpipe.serving`, `medpipe.schedule` and `medpipe.cli`.
"""

__version__ = "0.1.0"
