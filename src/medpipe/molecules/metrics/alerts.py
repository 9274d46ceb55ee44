"""The substructures that MOSES refuses: medicinal chemistry filters (MCF) and PAINS.

The 22 MCF patterns are a table of MOSES (``moses/metrics/mcf.csv`` of molsets 0.3.1, MIT licence). PAINS come from
the table that RDKit ships (Saubern, Guha and Baell, Mol. Inform. 30, 847, 2011). RDKit has corrected some of them since
MOSES was published; ``PAINS_OF_MOSES`` keeps those as they were, so that the fraction of molecules that pass stays
comparable with the published tables.

``rdkit.Chem.FilterCatalog`` holds other variants (its hydrogens are merged into the heavy atoms), which disagree.
"""

import csv
from pathlib import Path

MCF = {
    "MCF1": "[#6]=&!@[#6]-[#6]#[#7]",
    "MCF2": "[#6]=&!@[#6]-[#16](=[#8])=[#8]",
    "MCF3": "[#6]=&!@[#6&!H0]-&!@[#6](=[#8])-&!@[#7]",
    "MCF4": "[H]C([H])([#6])[F,Cl,Br,I]",
    "MCF5": "[#6]1-[#8]-[#6]-1",
    "MCF6": "[#6]-[#7]=[#6]=[#8]",
    "MCF7": "[#6&!H0]=[#8]",
    "MCF8": "[#6](=&!@[#7&!H0])-&!@[#6,#7,#8,#16]",
    "MCF9": "[#6]1-[#7]-[#6]-1",
    "MCF10": "[#6]~&!@[#7]~&!@[#7]~&!@[#6]",
    "MCF11": "[#7]=&!@[#7]",
    "MCF12": "[H][#6]-1=[#6]([H])-[#6]=[#6](-*)-[#8]-1",
    "MCF13": "[H][#6]-1=[#6]([H])-[#6]=[#6](-*)-[#16]-1",
    "MCF14": "[#17,#35,#53]-c(:*):[!#1!#6]:*",
    "MCF15": "[H][#7]([H])-[#6]-1=[#6]-[#6]=[#6]-[#6]=[#6]-1",
    "MCF16": "[#16]~[#16]",
    "MCF17": "[#7]~&!@[#7]~&!@[#7]",
    "MCF18": "[#7]-&!@[#6&!H0&!H1]-&!@[#7]",
    "MCF19": "[#6&!H0](-&!@[#8])-&!@[#8]",
    "MCF20": "[#35].[#35].[#35]",
    "MCF21": "[#17].[#17].[#17].[#17]",
    "MCF22": "[#9].[#9].[#9].[#9].[#9].[#9].[#9]",
}

PAINS_OF_MOSES = {
    "het_thio_666_A(13)": (
        "c:2(:c:1-[#16]-c:3:c(-[#7;!H0,$([#7]-[CH3]),$([#7]-[#6;!H0;!H1]-[#6;!H0])](-c:1:c(:c(:c:2-[#1])"
        "-[#1])-[#1])):[c;!H0,$(c~[#7](-[#1])-[#6;X4]),$(c~[#6]:[#6])](:[c;!H0,$(c~[#6]:[#6])]:[c;!H0,$("
        "c-[#7](-[#1])-[#1]),$(c-[#8]-[#6;X4])]:c:3-[#1]))-[#1]"
    ),
    "thiaz_ene_C(11)": ("[#6]-1(=[#6](-!@[#6]=[#7])-[#16]-[#6](-[#7]-1)=[#8])-[$([F,Cl,Br,I]),$([#7+](:[#6]):[#6])]"),
    "het_thio_676_A(10)": (
        "c:1:c:c-2:c(:c:c:1)-[#6]-[#6](-c:3:c(-[#16]-2):c(:c(-[#1]):[c;!H0,$(c-[#8]),$(c-[#16;X2]),$(c-["
        "#6;X4]),$(c-[#7;H2,H3,$([#7!H0]-[#6;X4]),$([#7](-[#6;X4])-[#6;X4])])](:c:3-[#1]))-[#1])-[#7;H2,"
        "H3,$([#7;!H0]-[#6;X4]),$([#7](-[#6;X4])-[#6;X4])]"
    ),
    "het_6_imidate_A(4)": "[#7]=[#6]-1-[#7](-[#1])-[#6](=[#6](-[#7]-[#1])-[#7]=[#7]-1)-[#7]-[#1]",
    "anil_OC_alk_B(3)": (
        "c:1:3:c(:c:c:c:c:1)-[#7]-2-[#6](=[#8])-[#6](=[#6](-[F,Cl,Br,I])-[#6]-2=[#8])-[#7](-[#1])-[#6]:["
        "#6]:[#6]:[#6](-[#8]-[#6](-[#1])-[#1]):[#6]:[#6]:3"
    ),
    "quinone_C(2)": ("[#8]=[#6]-3-c:1:c(:c:c:c:c:1)-[#6]-2=[#6](-[#8]-[#1])-[#6](=[#8])-[#7]-c:4:c-2:c-3:c:c:c:4"),
    "thiophene_E(2)": (
        "c:1(:c(:c(:[c;!H0,$(c-[#6;!H0,!H1])](:s:1))-[#1])-[#1])-[#6;!H0,$([#6]-[#6;!H0;!H1])]-[#6](=[#8"
        "])-[#7](-[#1])-c:2:n:c:c:s:2"
    ),
    "thio_urea_K(2)": "[#6]-2(=[#16])-[#7]-1-[#6]:[#6]-[#7]=[#7]-[#6]-1=[#7]-[#7]-2-[#1]",
    "het_6_imidate_B(1)": (
        "[#7](-[#1])(-c:1:c(:c(:c(:c(:c:1-[#1])-[#1])-[#1])-[#1])-[#8]-[#1])-[#6]-2=[#6](-[#8]-[#6](-[#7"
        "]=[#7]-2)=[#7])-[#7](-[#1])-[#1]"
    ),
    "anthranil_acid_I(1)": (
        "c:1:2(:c(:c(:c(:o:1)-[#6])-[#1])-[#1])-[#6](=[#8])-[#7](-[#1])-[#6]:[#6](-[#1]):[#6](-[#1]):[#6"
        "](-[#1]):[#6](-[#1]):[#6]:2-[#6](=[#8])-[#8]-[#1]"
    ),
    "het_65_H(1)": "c2(c-1n(-[#6](-[#6]=[#6]-[#7]-1)=[#8])nc2-c3cccn3)-[#6]#[#7]",
    "colchicine_het(1)": (
        "c:1-3:c(:c:c:c:c:1)-[#16]-[#6](=[#7]-[#7]=[#6]-2-[#6]=[#6]-[#6]=[#6]-[#6]=[#6]-2)-[#7]-3-[#6](-[#1])-[#1]"
    ),
    "het_5_inium(1)": (
        "[#7]-4(-c:1:c:c:c:c:c:1)-[#6](=[#7+](-c:2:c:c:c:c:c:2)-[#6](=[#7]-c:3:c:c:c:c:c:3)-[#7]-4)-[#1]"
    ),
    "thiaz_ene_A(128)": (
        "[#6]-1(=[#6;!H0,$([#6]-[#6;!H0;!H1]),$([#6]-[#6]=[#8])]-[#16]-[#6](-[#7;!H0,$([#7]-[#6;!H0]),$("
        "[#7]-[#6]:[#6])]-1)=[#7;!R])-[$([#6](-[#1])-[#1]),$([#6]:[#6])]"
    ),
    "hzone_enamin(30)": "[#7](-[#1])-[#7]=[#6]-[#6;!H0,$([#6]-[#6])]=[#6](-[#6])-!@[$([#7]),$([#8]-[#1])]",
    "quinone_A(370)": "[!#6&!#1]=[#6]-1-[#6]=,:[#6]-[#6](=[!#6&!#1])-[#6]=,:[#6]-1",
    "anil_di_alk_D(198)": (
        "c:1:c:c(:c:c:c:1-[#7](-[#6;X4])-[#6;X4])-[#6;X4]-[$([#8]-[#1]),$([#6]=[#6]-[#1]),$([#7]-[#6;X4])]"
    ),
}


def moses_alerts() -> dict[str, str]:
    """SMARTS of MOSES's alerts by name, MCF first.

    Written for molecules with explicit hydrogens: match them against ``Chem.AddHs(molecule)``.
    """
    return MCF | _pains_of_rdkit() | PAINS_OF_MOSES


def _pains_of_rdkit() -> dict[str, str]:
    """RDKit's table of PAINS: SMARTS and ``<regId=name>`` in each line."""
    from rdkit import RDConfig

    with Path(RDConfig.RDDataDir, "Pains", "wehi_pains.csv").open(newline="") as file:
        return {
            name.strip().removeprefix("<regId=").removesuffix(">"): smarts.strip() for smarts, name in csv.reader(file)
        }
