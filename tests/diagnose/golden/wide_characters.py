import stand_in as lib


def 合并(温度, é):
    return 温度 + é  # 形状不同


合并(lib.Value(4), lib.Value(5))
